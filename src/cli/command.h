#pragma once

#include <intact/console/program.h>

namespace intact::cli {

/// Commands are written in the console's words: print(), warn(), Program.
using namespace console;

}  // namespace intact::cli
