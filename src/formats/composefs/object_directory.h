#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/base/unique_fd.h>

namespace intact::composefs {

/// A directory of objects as mkcomposefs --digest-store fills it: each named by the fs-verity
/// digest of its content. Thread-safe; other processes may fill the same directory.
class ObjectDirectory {
 public:
  /// Makes the directory if need be.
  static Result<ObjectDirectory> open(const std::string& path);
  ObjectDirectory(ObjectDirectory&& other) noexcept
      : fd_(std::move(other.fd_)), added_(other.added_.load()) {}

  /// Copies the file `source` (by reference where the file system can) unless there is an object of
  /// that digest. The copy is hashed before it gets its name: a file that changed since its digest
  /// was taken is an io error and leaves nothing behind.
  Result<void> add(int source, const Digest& digest);

  /// Makes the names of what was added durable.
  Result<void> sync();

 private:
  explicit ObjectDirectory(UniqueFd fd) : fd_(std::move(fd)) {}
  Result<void> fill(const std::string& temp, int source, const Digest& digest);

  UniqueFd fd_;
  std::atomic<bool> added_ = false;
};

}  // namespace intact::composefs
