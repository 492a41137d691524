#pragma once

#include <string>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>

namespace intact::serve {

/// A file as a block device, for what takes nothing else in the kernel. The device goes by
/// itself once neither this object nor anybody else uses it: a mount, the device mapper.
class LoopDevice {
 public:
  /// `file` is the very open file that the device uses; the device is read-only unless `writable`.
  static Result<LoopDevice> attach(int file, bool writable = false);

  const std::string& path() const { return path_; }  ///< "/dev/loopN"

 private:
  LoopDevice(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  std::string path_;
  UniqueFd fd_;
};

}  // namespace intact::serve
