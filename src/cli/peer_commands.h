#pragma once

#include <string>

#include <CLI/CLI.hpp>

#include "command.h"

namespace intact::cli {

// What the command groups `verity` and `integrity` have of veritysetup and integritysetup, whatever
// the command: -?, --usage, -V, -v.

/// To a group itself: -?, --usage, -V.
void add_peer_options(CLI::App* group);

/// A command of such a group, with -v as well. `help` are the names of its help flag beside -?.
CLI::App* add_peer_command(Program& program, CLI::App* group, const char* name,
                           const char* description, const char* help = "-h,--help");

/// "Usage: intact verity dump [-?|--help] ... HASH", folded to 80 columns.
std::string usage_of(const CLI::App& command);

}  // namespace intact::cli
