#pragma once

#include <string>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>

namespace intact::kernel {

/// A file as a block device, for kernel features that require one. The device disappears once
/// neither this object nor any other user (a mount, the device mapper) has it open.
class LoopDevice {
 public:
  /// The device uses the open file `file`; it is read-only unless `writable`.
  static Result<LoopDevice> attach(int file, bool writable = false);

  const std::string& path() const { return path_; }  ///< "/dev/loopN"

 private:
  LoopDevice(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  std::string path_;
  UniqueFd fd_;
};

}  // namespace intact::kernel
