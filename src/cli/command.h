#pragma once

#include <string>
#include <utility>

#include <intact/base/error.h>
#include <intact/console/program.h>

namespace intact::cli {

/// Commands are written in the console's words: print(), warn(), Program.
using namespace console;

/// The error of a command line that makes no sense.
inline Error wrong(std::string message) {
  return {ErrorKind::invalid_argument, std::move(message)};
}

}  // namespace intact::cli
