#include "peer_arguments.h"

#include <algorithm>

namespace intact::cli {
namespace {

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

}  // namespace intact::cli
