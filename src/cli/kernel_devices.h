#pragma once

#include <string>
#include <utility>
#include <vector>

#include <intact/base/result.h>
#include <intact/serve/loop_device.h>
#include <intact/stack/volume.h>

namespace intact::cli {

/// Block devices for the files of a volume, as the kernel's tables name them: block devices as they
/// are, loop devices for files. Loop devices go with this object unless the kernel uses them by
/// then.
class KernelDevices {
 public:
  /// "MAJOR:MINOR". A file has one device, however often this is called.
  Result<std::string> number(const stack::File& file);

 private:
  std::vector<std::pair<stack::File, std::string>> numbers_;
  std::vector<serve::LoopDevice> loops_;
};

}  // namespace intact::cli
