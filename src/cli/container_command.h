#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace intact::cli {

/// Takes the command line of a container off the arguments `all` of "run [OPTIONS] NAME [--]
/// CMD...": all from "--" or from the second word that is neither an option of `command` nor its
/// value (the first is the image's name). The parser would look for options in it, and take
/// "[a,b]" for a list.
std::vector<std::string> take_container_command(std::vector<std::string>& all,
                                                const CLI::App& command);

}  // namespace intact::cli
