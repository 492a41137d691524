#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace intact::cli {

/// Puts the command of a group in front of the options that stand before it, as it may be written
/// for veritysetup and integritysetup. `verity --hash-offset=8192 format FILE` becomes
/// `verity format --hash-offset=8192 FILE`. `arguments` begin with the name of the group, else
/// nothing is done.
void put_command_first(const CLI::App& group, std::vector<std::string>& arguments);

}  // namespace intact::cli
