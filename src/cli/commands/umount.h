#pragma once

#include "command.h"

namespace intact::cli {

/// Adds `intact umount`.
void add_umount_command(Program& program);

}  // namespace intact::cli
