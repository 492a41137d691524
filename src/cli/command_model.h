#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace intact::cli {

/// One form that a value may take, as the type name of its option says it: alternatives between |.
///
///     require|off     words, to be given as they are
///     FILE|NAME       files of the machine, images of the store; other capitals say no more
///     oci:DIR[:TAG]   a word with a colon in front of a path
struct ValueForm {
  enum class Kind { word, file, directory, image, command, other };
  Kind kind;
  std::string word;  ///< the word, or what stands in front of the path, with its colon
};

/// An option or a positional argument, as manual pages and completions want to know it.
struct OptionModel {
  std::vector<std::string>
      names;          ///< with their dashes, short ones first; a positional's only name
  std::string value;  ///< how the value is shown; empty: a flag
  std::vector<ValueForm> forms;
  std::string description;
  std::string default_value;
  bool required = false;
  bool repeatable = false;

  bool takes_value() const { return !value.empty(); }
};

/// A command with all below it.
struct CommandModel {
  std::string name;
  std::string description;
  std::string footer;
  std::vector<OptionModel> options;
  std::vector<OptionModel> positionals;
  std::vector<CommandModel> commands;

  const CommandModel* find_command(std::string_view word) const;
  const OptionModel* find_option(std::string_view word) const;
};

/// Reads the model off the parser's own tables, so that it cannot say anything else than these.
/// Hidden commands and options are left out.
CommandModel make_model(const CLI::App& app);

}  // namespace intact::cli
