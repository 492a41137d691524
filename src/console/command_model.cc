#include <algorithm>
#include <cctype>

#include <CLI/CLI.hpp>

#include <intact/console/command_model.h>

namespace intact::console {
namespace {

ValueForm::Kind kind_of(std::string_view word) {
  using Kind = ValueForm::Kind;
  if (word == "FILE" || word == "PREFIX") return Kind::file;
  if (word == "DIR") return Kind::directory;
  if (word == "NAME") return Kind::image;
  if (word == "MOUNT") return Kind::mount;
  if (word == "COMMAND") return Kind::command;
  const bool lower = std::all_of(word.begin(), word.end(), [](unsigned char c) {
    return std::islower(c) || std::isdigit(c) || c == '-';
  });
  return lower && !word.empty() ? Kind::word : Kind::other;
}

ValueForm parse_form(std::string_view text) {
  const bool has_tag = text.find("[:TAG") != std::string_view::npos;
  text = text.substr(0, text.find('['));
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return {kind_of(text), std::string(text), false};
  const std::string_view path = text.substr(colon + 1);
  if (kind_of(text.substr(0, colon)) != ValueForm::Kind::word)
    return {ValueForm::Kind::other, "", false};
  return {kind_of(path), std::string(text.substr(0, colon + 1)), has_tag};
}

std::vector<ValueForm> parse_forms(std::string_view text, char separator) {
  std::vector<ValueForm> forms;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    forms.push_back(parse_form(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return forms;
}

/// The parser appends what a check allows to the type, as "TEXT:{a,b}"; `value` becomes "a|b".
void use_allowed_words(OptionModel& model) {
  const std::size_t begin = model.value.find(":{");
  if (begin != std::string::npos && model.value.ends_with('}')) {
    model.value = model.value.substr(begin + 2, model.value.size() - begin - 3);
    std::replace(model.value.begin(), model.value.end(), ',', '|');
  } else if (const std::size_t check = model.value.find(":NONNEGATIVE");
             check != std::string::npos) {
    model.value.resize(check);
  }
}

OptionModel make_option(const CLI::Option& option) {
  OptionModel model;
  const bool positional = option.get_positional();
  if (positional) model.names.push_back(option.get_name(true));
  for (const std::string& name : option.get_snames()) model.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) model.names.push_back("--" + name);
  model.description = option.get_description();
  model.required = option.get_required();
  model.repeatable = option.get_items_expected_max() > 1 || option.get_expected_max() > 1 ||
                     option.get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll;
  if (option.get_items_expected_max() > 0) {
    model.value = option.get_type_name();
    use_allowed_words(model);
    // A positional's own name says more than "TEXT".
    if (positional && (model.value.empty() || model.value == "TEXT")) model.value = model.names[0];
    if (model.value.empty()) model.value = "TEXT";
    model.forms = parse_forms(model.value, '|');
    const std::string& fallback = option.get_default_str();
    if (fallback != "[]" && fallback != "-1") model.default_value = fallback;
  }
  return model;
}

}  // namespace

const CommandModel* CommandModel::find_command(std::string_view word) const {
  const auto found =
      std::find_if(commands.begin(), commands.end(), [&](const CommandModel& command) {
        return command.name == word || std::find(command.aliases.begin(), command.aliases.end(),
                                                 word) != command.aliases.end();
      });
  return found == commands.end() ? nullptr : &*found;
}

const OptionModel* CommandModel::find_option(std::string_view word) const {
  const auto found = std::find_if(options.begin(), options.end(), [&](const OptionModel& option) {
    return std::find(option.names.begin(), option.names.end(), word) != option.names.end();
  });
  return found == options.end() ? nullptr : &*found;
}

CommandModel make_model(const CLI::App& app) {
  CommandModel model;
  model.name = app.get_name();
  model.aliases = app.get_aliases();
  model.description = app.get_description();
  model.footer = app.get_footer();
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    auto& list = option->get_positional() ? model.positionals : model.options;
    list.push_back(make_option(*option));
  }
  const auto any = [](const CLI::App*) { return true; };
  for (const CLI::App* command : app.get_subcommands(any)) {
    if (!command->get_group().empty()) model.commands.push_back(make_model(*command));
  }
  return model;
}

}  // namespace intact::console
