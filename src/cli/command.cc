#include "command.h"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>
#include <vector>

#include <intact/base/visible.h>

namespace intact::cli {
namespace {

/// The command of that name directly below `parent`, or null.
const CLI::App* find_command(const CLI::App& parent, const std::string& name) {
  const auto found =
      parent.get_subcommands([&](const CLI::App* sub) { return sub->get_name() == name; });
  return found.empty() ? nullptr : found.front();
}

/// Without what the library says of itself: the type of a check, a default that is none.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_option_opts(const CLI::Option* option) const override {
    std::string text = CLI::Formatter::make_option_opts(option);
    for (const std::string_view noise : {":NONNEGATIVE", "=[]", "=-1"})
      if (const std::size_t at = text.find(noise); at != std::string::npos)
        text.erase(at, noise.size());
    return text;
  }
};

/// What is wrong with a command line of which words are left over, which the library tells
/// backwards or, where something is missing as well, not at all. Empty if none are.
std::string about_leftovers(const CLI::App& program) {
  const CLI::App* command = &program;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
  const std::vector<std::string> left = program.remaining(true);
  if (left.empty()) return "";
  const std::string name = words_of(*command);
  const auto option = std::find_if(left.begin(), left.end(), [](const std::string& word) {
    return word.size() > 1 && word.starts_with("-");
  });
  if (option != left.end()) {
    if (command->get_option_no_throw(option->substr(0, option->find('='))))
      return fmt::format("'{}' belongs behind `{}`", *option, name);
    return fmt::format("`{}` has no option '{}'", name, *option);
  }
  if (command->get_require_subcommand_min() > 0)
    return fmt::format("there is no command '{} {}'", name, left.front());
  return fmt::format("`{}` does not take '{}'", name, fmt::join(left, " "));
}

}  // namespace

Program::Program() : app_("Seal, verify, encrypt and repair container and VM images", "intact") {
  app_.formatter(std::make_shared<HelpFormatter>());
  app_.require_subcommand(1);
  app_.set_version_flag("--version", std::string("intact ") + INTACT_VERSION);
  app_.option_defaults()->always_capture_default();

  auto words = std::make_shared<std::vector<std::string>>();
  CLI::App* help = add(app_, "help", "Show what a command does, as its --help");
  help->add_option("COMMAND", *words);
  on_chosen(help, [this, words]() -> Result<int> {
    const CLI::App* command = &app_;
    std::string path = app_.get_name();
    for (const std::string& word : *words) {
      command = find_command(*command, word);
      if (!command)
        return Error(ErrorKind::invalid_argument,
                     "there is no command '" + word + "'; `intact help` lists them");
      path += " " + word;
    }
    // help() of the program would show the command that was parsed, which is this one.
    print("{}", command->get_formatter()->make_help(command, path, CLI::AppFormatMode::Normal));
    return 0;
  });
}

CLI::App* Program::add(CLI::App& parent, std::string name, std::string description) {
  CLI::App* command = parent.add_subcommand(std::move(name), std::move(description));
  command->option_defaults()->always_capture_default();
  return command;
}

void Program::on_chosen(CLI::App* command, Action action) {
  command->callback([this, command, action = std::move(action)] {
    chosen_command_ = command;
    chosen_ = action;
  });
}

void Program::on_end(const CLI::App* command, std::function<void(const Result<int>&)> told) {
  endings_.emplace(command, std::move(told));
}

void Program::before_parsing(std::function<void(std::vector<std::string>&)> rewrite) {
  rewrites_.push_back(std::move(rewrite));
}

namespace {

/// The library takes `--option=` for an option whose value is still to come and swallows the next
/// argument. Here the empty text is the value, as for getopt_long(3): it becomes an argument.
void keep_empty_values(const CLI::App& program, std::vector<std::string>& arguments) {
  const CLI::App* command = &program;
  for (std::size_t i = 0; i < arguments.size() && arguments[i] != "--"; ++i) {
    std::string& argument = arguments[i];
    if (!argument.starts_with("-")) {
      if (const CLI::App* found = find_command(*command, argument)) command = found;
      continue;
    }
    if (!argument.starts_with("--") || argument.find('=') != argument.size() - 1) continue;
    const CLI::Option* option =
        command->get_option_no_throw(argument.substr(0, argument.size() - 1));
    if (!option || option->get_items_expected_max() == 0) continue;  // a flag, or nothing of ours
    argument.pop_back();
    arguments.insert(arguments.begin() + static_cast<std::ptrdiff_t>(i) + 1, "");
    ++i;
  }
}

bool can_move_limits(const CLI::App& command) {
  return !command.get_options([](const CLI::Option* o) { return o->get_group() == kLimitsGroup; })
              .empty();
}

/// False, with a message, when what was printed could not be written.
bool flush_output() {
  std::cout.flush();
  if (std::cout.good() && std::fflush(stdout) == 0 && !std::ferror(stdout)) return true;
  std::fputs("intact: cannot write the output\n", stderr);
  return false;
}

}  // namespace

int Program::run(int argc, const char* const* argv) {
  std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  for (const auto& rewrite : rewrites_) rewrite(arguments);
  keep_empty_values(app_, arguments);
  try {
    std::reverse(arguments.begin(), arguments.end());  // as the library wants them
    app_.parse(std::move(arguments));
  } catch (const CLI::ParseError& e) {
    // The library prints help and version itself and tells them apart from mistakes by its own code
    // 0.
    // `run` passes on the status of a container, where 2 would be the container's.
    const int wrong_usage = argc > 1 && std::string_view(argv[1]) == "run" ? 125 : 2;
    if (const std::string leftovers = e.get_exit_code() == 0 ? "" : about_leftovers(app_);
        !leftovers.empty()) {
      fmt::print(stderr, "intact: {}\nRun with --help for more information.\n", leftovers);
      return wrong_usage;
    }
    if (app_.exit(e) != 0) return wrong_usage;
    return flush_output() ? 0 : 1;
  }
  auto result =
      chosen_ ? chosen_() : Result<int>(Error(ErrorKind::invalid_argument, "no command given"));
  if (!flush_output()) return 1;
  if (const auto told = endings_.find(chosen_command_); told != endings_.end())
    told->second(result);
  if (result) return *result;
  // Errors quote what they are about: names, media types, keys, whatever an image holds.
  fmt::print(stderr, "intact: {}\n", visible_message(result.error().message()));
  if (result.error().kind() == ErrorKind::limit && can_move_limits(*chosen_command_))
    fmt::print(stderr, "intact: limits that can be raised stand in `{} --help`\n",
               words_of(*chosen_command_));
  return exit_status(result.error());
}

std::string words_of(const CLI::App& command) {
  const CLI::App* const parent = command.get_parent();
  return parent ? words_of(*parent) + " " + command.get_name() : command.get_name();
}

int exit_status(const Error& error) {
  switch (error.kind()) {
    case ErrorKind::io:
    case ErrorKind::exists:
    case ErrorKind::cancelled:
      return 1;
    case ErrorKind::invalid_argument:
      return 2;
    case ErrorKind::tampered:
      return 3;
    case ErrorKind::bad_secret:
      return 4;
    case ErrorKind::untrusted:
      return 5;
    case ErrorKind::malformed:
    case ErrorKind::unsupported:
    case ErrorKind::limit:
      return 6;
    case ErrorKind::not_found:
      return 7;
    case ErrorKind::busy:
      return 8;
  }
  return 1;
}

std::string counted(std::uint64_t count, std::string_view thing) {
  return fmt::format("{} {}{}", count, thing, count == 1 ? "" : "s");
}

void warn(std::string_view text) {
  fmt::print(stderr, "intact: warning: {}\n", visible_message(text));
}

}  // namespace intact::cli
