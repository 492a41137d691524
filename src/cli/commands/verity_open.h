#pragma once

#include "command.h"

namespace intact::cli {

/// `open` of the group `verity`.
void add_verity_open_command(Program& program, CLI::App* group);

}  // namespace intact::cli
