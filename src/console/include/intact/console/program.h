#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <intact/base/result.h>

namespace intact::console {

/// What a command does once its options are parsed; returns the exit status.
using Action = std::function<Result<int>()>;

/// The command line being built: commands hang themselves in, main() runs the one that was chosen.
class Program {
 public:
  Program();

  CLI::App& app() { return app_; }
  /// A command of `parent`, e.g. add(program.app(), "pull", "..."), with the house's defaults for
  /// help and option order.
  CLI::App* add(CLI::App& parent, std::string name, std::string description);
  /// Has `command` run `action` when it is the one chosen.
  void on_chosen(CLI::App* command, Action action);

  /// Has `told` hear how `command` ended, if it is the one chosen.
  void on_end(const CLI::App* command, std::function<void(const Result<int>&)> told);

  /// Has `rewrite` change the arguments (without the program's name) before they are parsed, for
  /// what the parser cannot express.
  void before_parsing(std::function<void(std::vector<std::string>&)> rewrite);

  /// The exit status for a command line of the command `name` that cannot be parsed, where it is
  /// not 2.
  void set_usage_status(std::string name, int status) { usage_status_[std::move(name)] = status; }

  /// Parses, runs, prints errors; returns the exit status.
  int run(int argc, const char* const* argv);

 private:
  CLI::App app_;
  CLI::App* chosen_command_ = nullptr;
  Action chosen_;
  std::map<const CLI::App*, std::function<void(const Result<int>&)>> endings_;
  std::vector<std::function<void(std::vector<std::string>&)>> rewrites_;
  std::map<std::string, int, std::less<>> usage_status_;
};

/// Lets the empty text be a value of `option`, such as no salt. Every other option and argument
/// refuses it: it is what a script passes whose variable is not set. Returns the option.
CLI::Option* allow_empty(CLI::Option* option);

/// "intact store gc": the words that lead to a command.
std::string words_of(const CLI::App& command);

/// The group in `--help` of options that move a limit: who meets an error of kind limit is sent
/// there.
inline constexpr const char* kLimitsGroup = "Limits";

/// "intact: warning: TEXT" on stderr.
void warn(std::string_view text);

/// Prints to stdout as fmt::print does. Failing to write (disk full, closed pipe) fails the
/// command: see Program::run.
template <typename... Args>
void print(fmt::format_string<Args...> format, Args&&... args) {
  fmt::print(stdout, format, std::forward<Args>(args)...);
}

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
