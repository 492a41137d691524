#pragma once

#include "command.h"

namespace intact::cli {

void add_completion_command(Program& program);  ///< prints the scripts for the shells
void add_version_command(Program& program);     ///< hidden: --help has --version

}  // namespace intact::cli
