#pragma once

#include <string>
#include <string_view>

#include <intact/base/result.h>
#include <intact/kernel/device_mapper.h>

#include "command.h"

namespace intact::cli {

// What device-mapper devices of all targets have in common.

inline constexpr std::string_view kMapperDirectory = "/dev/mapper/";

/// The name of a device that may be given with or without its directory.
std::string mapping_name(const std::string& given);

/// The device, given either way. not_found: no such device; invalid_argument: its target is not
/// dm-`target`.
Result<kernel::MappingState> find_mapping_of(std::string_view target, const std::string& given);

/// Prints what --debug shows of a device, on stderr.
void say_mapping(const kernel::MappingState& state);

/// Adds `close DEVICE` to a command group, for devices of dm-`target`, and its old name `remove`.
/// `batch`: with -q, which has no effect because nothing is ever asked.
void add_close_command(Program& program, CLI::App* group, std::string_view target,
                       bool batch = false);

}  // namespace intact::cli
