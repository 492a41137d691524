#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <intact/console/program.h>

namespace intact::console {

// What the command groups `verity` and `integrity` have of veritysetup and integritysetup, whatever
// the command: -?, --usage, -V, -v.

/// To a group itself: -?, --usage, -V.
void add_peer_options(CLI::App* group);

/// A command of such a group, with -v as well. `help` are the names of its help flag beside -?.
CLI::App* add_peer_command(Program& program, CLI::App* group, const char* name,
                           const char* description, const char* help = "-h,--help");

/// Puts the command of a group in front of the options that stand before it, as it may be written
/// for veritysetup and integritysetup. `verity --hash-offset=8192 format FILE` becomes
/// `verity format --hash-offset=8192 FILE`. `arguments` begin with the name of the group, else
/// nothing is done.
void put_command_first(const CLI::App& group, std::vector<std::string>& arguments);

/// "Usage: intact verity dump [-?|--help] ... HASH", folded to 80 columns.
std::string usage_of(const CLI::App& command);

}  // namespace intact::console
