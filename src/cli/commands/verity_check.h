#pragma once

#include "command.h"

namespace intact::cli {

/// `verify` and `repair` of the group `verity`.
void add_verity_check_commands(Program& program, CLI::App* group);

}  // namespace intact::cli
