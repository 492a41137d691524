#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

namespace intact::console {

/// The words of a command line that are another program's: those after NAME in
/// "COMMAND [OPTIONS] NAME [--] [WORD...]".
struct PassedWords {
  std::vector<std::string> words;
  /// The option that was accepted after the name; empty: none.
  std::string late_option;
};

/// Takes these words off the arguments `all`, the first of which is the command's own name: all
/// after NAME, which is the first word that is neither an option of `command` nor the value of one.
/// Whatever they look like, `command` does not take them as its options.
///
/// One exception: when NAME comes before any option and one of `late_options` ("--key") follows it,
/// options continue up to "--" or the first other word. `late_option` then says so, for a warning.
PassedWords take_passed_words(std::vector<std::string>& all, const CLI::App& command,
                              const std::vector<std::string_view>& late_options = {});

}  // namespace intact::console
