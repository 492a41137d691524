#pragma once

#include <string>
#include <string_view>

#include <intact/base/result.h>
#include <intact/serve/device_mapper.h>

#include "command.h"

namespace intact::cli {

// What devices of the kernel's device mapper have in common, whichever target they are of.

inline constexpr std::string_view kMapperDirectory = "/dev/mapper/";

/// The name of a device that may be given with or without its directory.
std::string mapping_name(const std::string& given);

/// The device, given either way. not_found: there is none; invalid_argument: it is of another
/// target than dm-`target`.
Result<serve::MappingState> find_mapping_of(std::string_view target, const std::string& given);

/// busy if there is a device of that name.
Result<void> check_mapping_is_new(const std::string& name);

/// What --debug says of a device, on stderr.
void say_mapping(const serve::MappingState& state);

/// `close DEVICE` of a command group, for devices of dm-`target`; `remove` is an old name of it.
/// `batch`: with -q, which asks nothing, as nothing is asked anyway.
void add_close_command(Program& program, CLI::App* group, std::string_view target,
                       bool batch = false);

}  // namespace intact::cli
