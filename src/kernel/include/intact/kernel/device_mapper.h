#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/crypto/secret.h>
#include <intact/stack/plan.h>

namespace intact::kernel {

/// A line of a table that is in the kernel.
struct MappingLine {
  std::uint64_t sectors = 0;  ///< of 512 bytes
  std::string target;         ///< "verity"
  /// Secret, because the tables of some targets contain keys: it must not be copied into messages
  /// or logs.
  crypto::Secret parameters = {};
};

/// A device-mapper device.
struct Mapping {
  std::string name;  ///< of /dev/mapper/NAME
  std::string uuid;  ///< unique on this machine; programs know their own by its prefix
  std::vector<MappingLine> lines = {};  ///< one after the other
  bool read_only = true;

  std::uint64_t sectors() const;  ///< of all lines
  /// The target of the only line; empty if there are several.
  std::string_view target() const;
};

/// Creates the device and its node in /dev/mapper, and waits for udev where that runs. The kernel
/// and libdevmapper wipe their copies of the table. busy: a device with this name or UUID exists.
/// unsupported: the kernel has no device mapper, lacks the target or refuses the table. Other
/// errors have the kernel's errno, whose meaning depends on the target: dm::Target::kernel_refusal.
/// No error quotes the table.
Result<void> create_mapping(const Mapping& mapping);

struct MappingState {
  Mapping mapping;
  std::string status;       ///< as the target prints it
  unsigned open_count = 0;  ///< how many users have it open: mounts, other devices, processes
};
/// The device and its state, with the table as the kernel prints it, keys included. not_found: no
/// such device.
Result<MappingState> find_mapping(const std::string& name);

/// Where the nodes of these devices are.
inline constexpr std::string_view kMapperDirectory = "/dev/mapper/";
/// The name of a device that may be given with or without that directory.
std::string mapping_name(const std::string& given);
/// The same as find_mapping() for a device with one line, given either way. invalid_argument: its
/// target is not dm-`target`.
Result<MappingState> find_mapping_of(std::string_view target, const std::string& given);
/// Its name, size, target and users in a line, without the table.
std::string describe(const MappingState& state);

/// Passes a signature to the kernel in a key of the type `user` that this thread owns, for a target
/// that looks the key up by its description when its table is loaded.
Result<void> pass_signature(const std::string& description, ByteSpan signature);

enum class Removal {
  now,       ///< busy while it is open anywhere
  deferred,  ///< as soon as its last user closes it
  cancel,    ///< undo a deferred removal
};
Result<void> remove_mapping(const std::string& name, Removal removal = Removal::now);

/// The node of the block device "MAJOR:MINOR", such as "/dev/loop0"; `number` itself if it has
/// none.
std::string device_node(const std::string& number);
/// The backing file of a loop device; empty if the device is not one.
std::string loop_file(const std::string& number);

/// Makes the kernel create a device-mapper device for each table of a plan: `name` for the
/// uppermost, NAME-1 for the lowest, NAME-2 and so on for those between, with loop devices for
/// plain files. The stack is opened here first, read-only, with all checks, and the kernel is told
/// what was found. The lower devices go with the uppermost, whatever closes it; none is left if one
/// cannot be created. The UUID of each table gets the name of its device at its end.
///
/// invalid_argument: no tables. busy: a device of that name exists. unsupported: the kernel lacks a
/// target, would have to write to a read-only device, or would trust what is checked here.
/// Otherwise errors of stack::open() and create_mapping().
Result<void> create_device_stack(const std::string& name, stack::Plan& plan);

}  // namespace intact::kernel
