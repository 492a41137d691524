#pragma once

#include <string_view>

#include <CLI/CLI.hpp>

#include <intact/base/error.h>

namespace intact::console {

/// Whether the command was given --json.
bool takes_json(const CLI::App& command);

/// Prints why a command ends with `status`: the message on stderr and, `as_json`, an object on
/// stdout, whose form intact(1) documents under "JSON".
void report_error(std::string_view message, ErrorKind kind, int status, bool as_json);

}  // namespace intact::console
