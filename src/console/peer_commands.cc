#include <algorithm>
#include <memory>
#include <vector>

#include <intact/base/error.h>
#include <intact/console/peer_commands.h>

namespace intact::console {
namespace {

constexpr std::size_t kColumns = 80;

/// "[-s|--salt=HEX]", "DATA", "[ROOT]".
std::string usage_word(const CLI::Option& option) {
  if (option.get_positional())
    return option.get_required() ? option.get_name(true) : "[" + option.get_name(true) + "]";
  std::string names;
  for (const std::string& name : option.get_snames()) names += (names.empty() ? "-" : "|-") + name;
  for (const std::string& name : option.get_lnames())
    names += (names.empty() ? "--" : "|--") + name;
  if (option.get_items_expected_max() > 0) names += "=" + option.get_type_name();
  return "[" + names + "]";
}

/// The message of -v at the end, in the words of the peers.
void say_end(const Result<int>& done) {
  const int status = done ? *done : exit_status(done.error());
  if (status == 0)
    fmt::print(stderr, "Command successful.\n");
  else
    fmt::print(stderr, "Command failed with code {}.\n", status);
}

void add_questions(CLI::App* command, const std::string& help) {
  command->set_help_flag(help + ",-?", "Print this help and exit");
  command
      ->add_flag_callback(
          "--usage", [command] { throw CLI::CallForVersion(usage_of(*command), 0); },
          "Print a short usage message and exit")
      ->configurable(false);
  command->set_version_flag("-V,--version", fmt::format("intact {}", INTACT_VERSION),
                            "Print the version and exit");
}

std::vector<const CLI::App*> commands_of(const CLI::App& group) {
  return group.get_subcommands([](const CLI::App*) { return true; });
}

/// Whether the argument after this one is the value of an option of one of the commands.
bool takes_next(const CLI::App& group, const std::string& argument) {
  if (!argument.starts_with("-") || argument.find('=') != std::string::npos) return false;
  return std::ranges::any_of(commands_of(group), [&](const CLI::App* command) {
    const CLI::Option* option = command->get_option_no_throw(argument);
    return option != nullptr && option->get_items_expected_max() > 0;
  });
}

}  // namespace

void add_peer_options(CLI::App* group) {
  add_questions(group, "-h,--help");
}

CLI::App* add_peer_command(Program& program, CLI::App* group, const char* name,
                           const char* description, const char* help) {
  CLI::App* command = program.add(*group, name, description);
  add_questions(command, help);
  const auto verbose = std::make_shared<bool>(false);
  command->add_flag("-v,--verbose", *verbose, "Print the final status on stderr");
  program.on_end(command, [verbose](const Result<int>& done) {
    if (*verbose) say_end(done);
  });
  return command;
}

void put_command_first(const CLI::App& group, std::vector<std::string>& arguments) {
  if (arguments.empty() || arguments[0] != group.get_name()) return;
  const auto commands = commands_of(group);
  for (auto argument = arguments.begin() + 1; argument != arguments.end(); ++argument) {
    const bool is_command = std::ranges::any_of(
        commands, [&](const CLI::App* command) { return command->get_name() == *argument; });
    if (!is_command || takes_next(group, argument[-1])) continue;
    std::rotate(arguments.begin() + 1, argument, argument + 1);
    return;
  }
}

std::string usage_of(const CLI::App& command) {
  std::vector<std::string> words;
  for (const CLI::Option* option : command.get_options())
    if (!option->get_group().empty() && !option->get_positional())
      words.push_back(usage_word(*option));
  for (const CLI::Option* option : command.get_options())
    if (!option->get_group().empty() && option->get_positional())
      words.push_back(usage_word(*option));
  if (command.get_require_subcommand_min() > 0) words.emplace_back("COMMAND ...");
  std::string text = "Usage: " + words_of(command);
  std::size_t column = text.size();
  for (const std::string& word : words) {
    const bool fits = column + 1 + word.size() <= kColumns;
    text += (fits ? " " : "\n        ") + word;
    column = fits ? column + 1 + word.size() : 8 + word.size();
  }
  return text;
}

}  // namespace intact::console
