#pragma once

#include "command.h"

namespace intact::cli {

/// `close` and `status` of the group `verity`.
void add_verity_mapping_commands(Program& program, CLI::App* group);

}  // namespace intact::cli
