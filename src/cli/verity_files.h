#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <intact/base/result.h>
#include <intact/block/file_target.h>

namespace intact::cli {

/// The files of one command. A file that is given twice, under whatever names, is one device.
class DeviceFiles {
 public:
  explicit DeviceFiles(block::Access access) : access_(access) {}

  Result<std::shared_ptr<block::FileTarget>> open(const std::string& path);

 private:
  struct Opened {
    std::uint64_t device;
    std::uint64_t inode;
    std::shared_ptr<block::FileTarget> target;
  };
  block::Access access_;
  std::vector<Opened> opened_;
};

/// Whether both name one existing file.
bool same_file(const std::string& a, const std::string& b);

/// Files that a command makes or lengthens, put back to what they were unless it succeeds.
class GrownFiles {
 public:
  GrownFiles() = default;
  ~GrownFiles();
  GrownFiles(const GrownFiles&) = delete;
  GrownFiles& operator=(const GrownFiles&) = delete;

  /// Makes `path` at least `size` bytes long, readable by its owner alone if it is new. A block
  /// device stays as it is: whether it is large enough is seen later.
  Result<void> grow(const std::string& path, std::uint64_t size);
  /// A file that the command has made by other means.
  void adopt(const std::string& path) {
    files_.push_back({.path = path, .is_new = true, .old_size = 0});
  }
  void keep() { files_.clear(); }

 private:
  struct File {
    std::string path;
    bool is_new;
    std::uint64_t old_size;
  };
  std::vector<File> files_;
};

}  // namespace intact::cli
