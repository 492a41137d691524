#include <map>
#include <string>

#include <intact/base/grown_files.h>
#include <intact/block/device_files.h>
#include <intact/verity/manage.h>

namespace intact::verity {

Result<Devices> open_files(const VolumeFiles& files, block::Access access,
                           const std::shared_ptr<block::FileDevice>& copy) {
  block::DeviceFiles opened(access);
  const auto open = [&](const std::string& path) -> Result<std::shared_ptr<block::FileDevice>> {
    if (copy && same_file(path, files.data)) return copy;
    return opened.open(path);
  };
  Devices devices{.data = TRY(open(files.data)), .hash = TRY(open(files.hash)), .fec = {}};
  if (!files.fec.empty()) devices.fec = TRY(open(files.fec));
  if (access == block::Access::read_only) return devices;
  // A block that is written must not be one of another device.
  std::map<std::string, std::shared_ptr<block::Device>> used = {{files.data, devices.data},
                                                                {files.hash, devices.hash}};
  if (devices.fec) used.emplace(files.fec, devices.fec);
  TRY(block::check_apart(used));
  return devices;
}

}  // namespace intact::verity
