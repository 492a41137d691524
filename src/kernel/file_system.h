#pragma once

#include <string>
#include <string_view>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>

namespace intact::kernel {

/// A file system being configured by the calls of fsopen(2). Errors carry the kernel's own words,
/// which mount(2) has none of. What the kernel does not know or the caller may not do is
/// unsupported.
class FileSystem {
 public:
  static Result<FileSystem> open(const char* type);

  Result<void> set(const char* option, const std::string& value);
  Result<void> set_flag(const char* option);
  /// Makes it and returns its mount, which is attached nowhere and goes with the descriptor.
  /// `attributes`: MOUNT_ATTR_*.
  Result<UniqueFd> mount(unsigned attributes);

 private:
  FileSystem(const char* type, UniqueFd fd) : type_(type), fd_(std::move(fd)) {}
  /// The error for `reason` (an errno), with what the kernel has said since the last one.
  Error failure(std::string_view what, int reason) const;

  const char* type_;
  UniqueFd fd_;
};

/// An error by an errno of a mount call.
Error mount_error(std::string message, int reason);

}  // namespace intact::kernel
