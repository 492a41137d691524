#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <intact/base/file.h>
#include <intact/base/result.h>

namespace intact::run {

/// A writable file system over `lower`, mounted at `target`. What is written goes to a tmpfs of at
/// most `size` bytes (by default half of the machine's memory) or, on kernels whose tmpfs cannot
/// keep what a user's overlay needs, to a directory on disk, and is gone with this object or this
/// process. unsupported where the kernel and fuse-overlayfs refuse, or `size` cannot be enforced.
class WritableRoot {
 public:
  static Result<std::unique_ptr<WritableRoot>> mount(const std::string& room,
                                                     const std::string& lower,
                                                     const std::string& target, bool user_namespace,
                                                     std::optional<std::uint64_t> size);
  ~WritableRoot();

 private:
  WritableRoot(std::string target, std::unique_ptr<TempDir> on_disk)
      : target_(std::move(target)), on_disk_(std::move(on_disk)) {}
  std::string target_;
  std::unique_ptr<TempDir> on_disk_;
};

}  // namespace intact::run
