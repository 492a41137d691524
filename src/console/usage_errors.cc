#include "usage_errors.h"

#include <algorithm>
#include <cctype>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <intact/console/program.h>

#include "suggestion.h"

namespace intact::console {
namespace {

std::string help_of(const CLI::App& command) {
  return "see `" + words_of(command) + " --help`";
}

std::string unknown_option(const CLI::App& command, const std::string& option) {
  const std::string name = option.substr(0, option.find('='));
  if (command.get_option_no_throw(name))
    return fmt::format("{}: options come after the command; write `{} {} ...`", option,
                       words_of(command), option);
  std::vector<std::string> names;
  for (const CLI::Option* each : command.get_options()) {
    if (each->get_group().empty()) continue;
    for (const std::string& known : each->get_lnames()) names.push_back("--" + known);
  }
  const auto meant = closest_word(name, names);
  return fmt::format("{}: unknown option of `{}`; {}", name, words_of(command),
                     meant ? "did you mean " + *meant + "?" : help_of(command));
}

/// Empty if no words are left over.
std::string about_leftovers(const CLI::App& program, const CLI::App& command) {
  const std::vector<std::string> left = program.remaining(true);
  if (left.empty()) return "";
  const auto option = std::find_if(left.begin(), left.end(), [](const std::string& word) {
    return word.size() > 1 && word.starts_with("-");
  });
  if (option != left.end()) return unknown_option(command, *option);
  if (command.get_require_subcommand_min() > 0) return unknown_command(command, left.front());
  return fmt::format("unexpected argument '{}'; {}", fmt::join(left, " "), help_of(command));
}

/// The library's message in our form, on one line.
std::string clause(std::string text) {
  // "Could not convert: OPTION = VALUE", "OPTION: 1 required TYPE missing".
  constexpr std::string_view kConvert = "Could not convert: ";
  constexpr std::string_view kMissing = ": 1 required ";
  if (const std::size_t value = text.find(" = "); text.starts_with(kConvert) && value != text.npos)
    return text.substr(kConvert.size(), value - kConvert.size()) + ": invalid value '" +
           text.substr(value + 3) + "'";
  if (const std::size_t at = text.find(kMissing); at != text.npos && text.ends_with(" missing"))
    return text.substr(0, at) + ": a value is missing";
  // "OPTION: At Most 1 required but received 3".
  constexpr std::string_view kAtMost = ": At Most 1 required but received ";
  if (const std::size_t at = text.find(kAtMost); at != std::string::npos)
    return text.substr(0, at) + ": given " + text.substr(at + kAtMost.size()) +
           " times, but only one is possible";
  constexpr std::string_view kNeeds = " requires ";
  if (const std::size_t at = text.find(kNeeds); at != text.npos && text.starts_with("--"))
    return text.substr(0, at) + ": needs " + text.substr(at + kNeeds.size());
  std::replace(text.begin(), text.end(), '\n', ' ');
  while (!text.empty() && (text.back() == ' ' || text.back() == '.')) text.pop_back();
  if (text.size() > 1 && std::isupper(static_cast<unsigned char>(text[0])) &&
      std::islower(static_cast<unsigned char>(text[1])))
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

}  // namespace

const CLI::App* find_command(const CLI::App& parent, const std::string& name) {
  const auto found =
      parent.get_subcommands([&](const CLI::App* sub) { return sub->check_name(name); });
  return found.empty() ? nullptr : found.front();
}

std::string unknown_command(const CLI::App& parent, const std::string& word) {
  std::vector<std::string> names;
  for (const CLI::App* command : parent.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_name().starts_with("_")) continue;
    names.push_back(command->get_name());
    for (const std::string& alias : command->get_aliases()) names.push_back(alias);
  }
  const auto meant = closest_word(word, names);
  const std::string words = words_of(parent);
  return fmt::format("unknown command '{} {}'; {}", words, word,
                     meant ? "did you mean `" + words + " " + *meant + "`?"
                           : "`" + words + " --help` lists the commands");
}

std::string usage_message(const CLI::App& program, const CLI::ParseError& error) {
  const CLI::App* command = &program;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
  if (std::string leftovers = about_leftovers(program, *command); !leftovers.empty())
    return leftovers;
  if (command->get_require_subcommand_min() > 0 && command->get_subcommands().empty())
    return fmt::format("a command is missing; `{} --help` lists the commands", words_of(*command));
  return clause(error.what()) + "; " + help_of(*command);
}

}  // namespace intact::console
