#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>
#include <intact/block/file_target.h>

namespace intact::cli {

/// The files of one command. A file that is given twice, under any names, is one device and is
/// locked once. Not thread-safe.
class DeviceFiles {
 public:
  explicit DeviceFiles(block::Access access) : access_(access) {}

  /// Opens and locks a file, as FileTarget::open(). Returns the same object for a file that was
  /// opened or added before; a path that was opened before is not opened again, so it cannot lead
  /// to another file by then.
  Result<std::shared_ptr<block::FileTarget>> open(const std::string& path);
  /// Adds a file that was opened elsewhere.
  Result<void> add(std::shared_ptr<block::FileTarget> file);

 private:
  struct Known {
    std::uint64_t device;
    std::uint64_t inode;  // 0: `device` is that of a block device
    std::shared_ptr<block::FileTarget> target;
  };
  static Result<Known> identify(int fd);

  block::Access access_;
  std::vector<Known> known_;
  std::map<std::string, std::shared_ptr<block::FileTarget>> opened_;  // by path
};

/// Whether both name one existing file.
bool same_file(const std::string& a, const std::string& b);

/// Files that a command creates or extends. Unless the command succeeds they are removed, or cut to
/// their old size: the very files, whatever their paths lead to by then. Not thread-safe.
class GrownFiles {
 public:
  GrownFiles() = default;
  ~GrownFiles();
  GrownFiles(const GrownFiles&) = delete;
  GrownFiles& operator=(const GrownFiles&) = delete;

  /// Makes `path` at least `size` bytes long, readable by its owner only if it is new. A block
  /// device stays as it is: whether it is large enough is checked later.
  Result<void> grow(const std::string& path, std::uint64_t size);
  /// A file that the command has created by other means.
  void adopt(const std::string& path);
  /// The same, open as `fd`.
  void adopt(const std::string& path, UniqueFd fd) {
    files_.push_back({.fd = std::move(fd), .path = path, .is_new = true, .old_size = 0});
  }
  /// Whether `fd`, which was opened as `path`, is the file that grow() left there. busy: it has
  /// been replaced since.
  Result<void> check(const std::string& path, int fd) const;
  void keep() { files_.clear(); }

 private:
  struct File {
    UniqueFd fd;
    std::string path;
    bool is_new;
    std::uint64_t old_size;
  };
  std::vector<File> files_;
};

}  // namespace intact::cli
