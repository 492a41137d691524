#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <sstream>
#include <vector>

#include <stdio_ext.h>

#include <intact/base/error.h>
#include <intact/base/visible.h>
#include <intact/console/output.h>
#include <intact/console/program.h>

#include "usage_errors.h"

namespace intact::console {
namespace {

/// Leaves out what the library says about itself (the type of a check, a default that is none), and
/// shows aliases after the description.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_option_opts(const CLI::Option* option) const override {
    std::string text = CLI::Formatter::make_option_opts(option);
    for (const std::string_view noise : {":NONNEGATIVE", "=[]", "=-1"})
      if (const std::size_t at = text.find(noise); at != std::string::npos)
        text.erase(at, noise.size());
    return text;
  }
  std::string make_usage(const CLI::App* command, std::string name) const override {
    std::string text = CLI::Formatter::make_usage(command, std::move(name));
    // A hidden argument, as those of other tools, has no name.
    if (const std::size_t at = text.find(" []"); at != std::string::npos) text.erase(at, 3);
    return text;
  }
  std::string make_subcommand(const CLI::App* command) const override {
    std::ostringstream out;
    CLI::detail::format_help(out, command->get_name(), with_aliases(*command), get_column_width());
    return out.str();
  }
  std::string make_description(const CLI::App* command) const override {
    const std::string text = with_aliases(*command);
    return text.empty() ? text : text + "\n";
  }

 private:
  static std::string with_aliases(const CLI::App& command) {
    std::string text = command.get_description();
    for (const std::string& alias : command.get_aliases()) text += " (also: " + alias + ")";
    return text;
  }
};

}  // namespace

Program::Program() : app_("Seal and verify container images and block devices", "intact") {
  app_.formatter(std::make_shared<HelpFormatter>());
  app_.require_subcommand(1);
  app_.set_version_flag("--version", std::string("intact ") + INTACT_VERSION);
  app_.option_defaults()->always_capture_default();

  auto words = std::make_shared<std::vector<std::string>>();
  CLI::App* help = add(app_, "help", "Show the help of a command");
  help->add_option("COMMAND", *words);
  on_chosen(help, [this, words]() -> Result<int> {
    const CLI::App* command = &app_;
    std::string path = app_.get_name();
    for (const std::string& word : *words) {
      const CLI::App* const parent = command;
      command = find_command(*parent, word);
      if (!command) return Error(ErrorKind::invalid_argument, unknown_command(*parent, word));
      path += " " + command->get_name();
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

/// The library takes `--option=` for an option whose value follows and swallows the next argument.
/// Here the empty text is the value, as for getopt_long(3): it becomes an argument.
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
    if (!option || option->get_items_expected_max() == 0) continue;  // a flag, or unknown
    argument.pop_back();
    arguments.insert(arguments.begin() + static_cast<std::ptrdiff_t>(i) + 1, "");
    ++i;
  }
}

/// Whether a command line that was refused asks for JSON. What follows the image of `run` is the
/// container's, but nothing has told us where that begins.
bool asks_for_json(int argc, const char* const* argv) {
  for (int i = 1; i < argc && std::string_view(argv[i]) != "--"; ++i)
    if (std::string_view(argv[i]) == "--json") return true;
  return false;
}

/// The name of a check that passes everything, by which allow_empty() marks an option.
constexpr const char* kMayBeEmpty = "may be empty";

bool may_be_empty(CLI::Option& option) {
  try {
    return option.get_validator(kMayBeEmpty) != nullptr;
  } catch (const CLI::OptionNotFound&) {
    return false;
  }
}

/// An option of `command` that was given an empty value where that cannot be one, as a script does
/// whose variable is not set; empty if there is none. Taken as not given, the option would silently
/// leave out what it asks for, such as a check.
std::string find_empty_value(CLI::App& command) {
  for (CLI::Option* option : command.get_options()) {
    if (option->count() > 0 && !may_be_empty(*option) &&
        std::ranges::any_of(option->results(), [](const std::string& one) { return one.empty(); }))
      return option->get_name();
  }
  return {};
}

bool can_move_limits(const CLI::App& command) {
  return !command.get_options([](const CLI::Option* o) { return o->get_group() == kLimitsGroup; })
              .empty();
}

}  // namespace

int Program::run(int argc, const char* const* argv) {
  std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  for (const auto& rewrite : rewrites_) rewrite(arguments);
  keep_empty_values(app_, arguments);
  // `run` passes on the status of a container, where 2 would be the container's.
  const auto own_status =
      argc > 1 ? usage_status_.find(std::string_view(argv[1])) : usage_status_.end();
  const int wrong_usage = own_status != usage_status_.end() ? own_status->second : 2;
  const auto refuse = [&](const std::string& message) {
    report_error(message, ErrorKind::invalid_argument, wrong_usage, asks_for_json(argc, argv));
    flush_output();
    return wrong_usage;
  };
  try {
    std::reverse(arguments.begin(), arguments.end());  // as the library wants them
    app_.parse(std::move(arguments));
  } catch (const CLI::ParseError& e) {
    // The library prints help and version itself, as an error with code 0.
    if (e.get_exit_code() == 0) {
      std::ostringstream text;
      app_.exit(e, text, text);
      print_text(text.str());
      return flush_output() ? 0 : 1;
    }
    return refuse(usage_message(app_, e));
  }
  if (chosen_command_)
    if (const std::string option = find_empty_value(*chosen_command_); !option.empty())
      return refuse(option + ": is empty");
  auto result =
      chosen_ ? chosen_() : Result<int>(Error(ErrorKind::invalid_argument, "no command given"));
  // What the command printed is still in the buffer: no command prints more before it fails.
  const bool has_printed = __fpending(stdout) != 0;
  const bool is_written = flush_output();
  if (const auto told = endings_.find(chosen_command_); told != endings_.end())
    told->second(result);
  // A verdict wins over output that could not be written.
  if (result) return *result == 0 && !is_written ? 1 : *result;
  const int status = exit_status(result.error());
  report_error(result.error().message(), result.error().kind(), status,
               !has_printed && chosen_command_ && takes_json(*chosen_command_));
  if (result.error().kind() == ErrorKind::limit && chosen_command_ &&
      can_move_limits(*chosen_command_))
    fmt::print(stderr, "intact: `{} --help` lists the limits that can be raised\n",
               words_of(*chosen_command_));
  flush_output();
  return status;
}

CLI::Option* allow_empty(CLI::Option* option) {
  return option->check(CLI::Validator([](std::string&) { return std::string(); }, "", kMayBeEmpty));
}

std::string words_of(const CLI::App& command) {
  const CLI::App* const parent = command.get_parent();
  return parent ? words_of(*parent) + " " + command.get_name() : command.get_name();
}

void warn(std::string_view text) {
  tell("intact: warning: {}\n", visible_message(text));
}

}  // namespace intact::console
