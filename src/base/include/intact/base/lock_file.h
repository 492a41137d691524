#pragma once

#include <chrono>
#include <string>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>

namespace intact {

/// An exclusive lock that processes take through a file of its own, for what is replaced and not
/// changed in place. The file is there while somebody holds or awaits the lock; one that a killed
/// process left behind does no harm and goes with the next lock. Move-only; released at the end.
class LockFile {
 public:
  /// Makes the file (mode 0600) if need be. Waits for others; error kind busy after `patience`.
  static Result<LockFile> take(const std::string& path, std::chrono::milliseconds patience);

  LockFile(LockFile&& other) noexcept = default;
  LockFile& operator=(LockFile&&) = delete;
  ~LockFile();

 private:
  LockFile(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  std::string path_;
  UniqueFd fd_;
};

}  // namespace intact
