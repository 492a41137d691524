#pragma once

#include <string>

#include <CLI/CLI.hpp>

namespace intact::console {

/// What is wrong with a command line that `program` refused with `error`, and what to do, without
/// the prefix "intact: ". Words that nobody wants come first, since the library reports them
/// backwards or, where something is missing as well, not at all.
std::string usage_message(const CLI::App& program, const CLI::ParseError& error);

/// The command of that name or alias directly below `parent`, or null.
const CLI::App* find_command(const CLI::App& parent, const std::string& name);

/// The message for a word that is not a command below `parent`.
std::string unknown_command(const CLI::App& parent, const std::string& word);

}  // namespace intact::console
