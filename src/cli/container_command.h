#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace intact::cli {

/// What follows the name of an image in "run [OPTIONS] NAME [--] [CMD...]".
struct ContainerCommand {
  std::vector<std::string> words;
  /// The option that was accepted after the name; empty: none.
  std::string late_option;
};

/// Takes the command of a container off the arguments `all` of "run [OPTIONS] NAME [--] [CMD...]":
/// everything after the name, which is the first word that is neither an option of `command` nor
/// the value of one. Whatever the words look like, they change nothing of the sandbox.
///
/// One older form is still accepted, for scripts that treat `run` as `mount` and `verify`: when
/// NAME is the first word and --pub or --key follows it, options continue up to "--" or the first
/// other word. `late_option` then says so, for a warning.
ContainerCommand take_container_command(std::vector<std::string>& all, const CLI::App& command);

}  // namespace intact::cli
