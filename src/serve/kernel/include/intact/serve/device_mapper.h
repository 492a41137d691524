#pragma once

#include <cstdint>
#include <string>

#include <intact/base/result.h>

namespace intact::serve {

/// A device of the kernel's device mapper that consists of one target.
struct Mapping {
  std::string name;           ///< of /dev/mapper/NAME
  std::string uuid;           ///< unique on this machine; by its prefix programs know their own
  std::uint64_t sectors = 0;  ///< of 512 bytes
  std::string target;         ///< "verity"
  std::string parameters;     ///< the rest of its table line
  bool read_only = true;
};

/// Makes the device and its node in /dev/mapper, and waits for udev where that runs. busy: there is
/// a device of this name or UUID. unsupported: this kernel has no device mapper or not this target.
/// untrusted: the kernel does not accept a signature.
Result<void> create_mapping(const Mapping& mapping);

struct MappingState {
  Mapping mapping;
  std::string status;       ///< as the target prints it
  unsigned open_count = 0;  ///< how many have it open: mounts, other devices, processes
};
/// not_found: no such device.
Result<MappingState> find_mapping(const std::string& name);

enum class Removal {
  now,       ///< busy while somebody has it open
  deferred,  ///< when the last one has closed it
  cancel,    ///< not any more, if it was deferred
};
Result<void> remove_mapping(const std::string& name, Removal removal = Removal::now);

/// The node of a block device that the kernel calls "MAJOR:MINOR": "/dev/loop0"; as it is if there
/// is none.
std::string device_node(const std::string& number);
/// The file behind a loop device; empty if it is none.
std::string loop_file(const std::string& number);

}  // namespace intact::serve
