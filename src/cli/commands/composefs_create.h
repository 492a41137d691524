#pragma once

#include "command.h"

namespace intact::cli {

/// `create` of the group `composefs`, with the options of mkcomposefs.
void add_composefs_create_command(Program& program, CLI::App& group);

}  // namespace intact::cli
