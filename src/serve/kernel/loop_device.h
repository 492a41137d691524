#pragma once

#include <string>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>

namespace intact::serve {

/// A file as a read-only block device, for kernels whose EROFS mounts nothing else. The device goes
/// by itself once neither this object nor a mount uses it.
class LoopDevice {
 public:
  /// `file`: open for reading; the device reads this very open file.
  static Result<LoopDevice> attach(int file);

  const std::string& path() const { return path_; }  ///< "/dev/loopN"

 private:
  LoopDevice(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  std::string path_;
  UniqueFd fd_;
};

}  // namespace intact::serve
