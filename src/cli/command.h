#pragma once

#include <string>
#include <utility>

#include <CLI/CLI.hpp>

#include <intact/base/error.h>
#include <intact/console/program.h>

namespace intact::cli {

/// Commands are written in the console's words: print(), warn(), Program.
using namespace console;

/// The error of a command line that makes no sense.
inline Error wrong(std::string message) {
  return {ErrorKind::invalid_argument, std::move(message)};
}

/// Lets `option` be given several times, each time with one value. Returns the option.
inline CLI::Option* repeatable(CLI::Option* option) {
  return option->take_all()->expected(1)->allow_extra_args(false);
}

}  // namespace intact::cli
