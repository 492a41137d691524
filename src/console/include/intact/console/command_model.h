#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace intact::console {

/// One form of a value, as the type name of its option gives it: alternatives separated by |.
///
///     require|off     words, typed as they are
///     FILE|NAME       files of the machine, images of the store; MOUNT: mounted images
///     oci:DIR[:TAG]   a word with a colon before a path, and after it the tag of an image there
/// Other words in capitals do not say what completes them.
struct ValueForm {
  enum class Kind { word, file, directory, image, mount, command, other };
  Kind kind;
  std::string word;  ///< the word, or what comes before the path, with its colon
  bool has_tag = false;
};

/// An option or a positional argument, for manual pages and completion.
struct OptionModel {
  std::vector<std::string>
      names;          ///< with their dashes, short ones first; a positional's only name
  std::string value;  ///< how the value is shown; empty for a flag
  std::vector<ValueForm> forms;
  std::string description;
  std::string default_value;
  bool required = false;
  bool repeatable = false;

  bool takes_value() const { return !value.empty(); }
};

/// A command with everything below it.
struct CommandModel {
  std::string name;
  std::vector<std::string> aliases;
  std::string description;
  std::string footer;
  std::vector<OptionModel> options;
  std::vector<OptionModel> positionals;
  std::vector<CommandModel> commands;

  const CommandModel* find_command(std::string_view word) const;  ///< by name or alias
  const OptionModel* find_option(std::string_view word) const;
};

/// Makes the model from the parser's own tables, so that the two cannot differ. Hidden commands and
/// options are left out.
CommandModel make_model(const CLI::App& app);

struct PageInfo {
  std::string version;
  std::string date;  ///< of the release, YYYY-MM-DD
};

/// The name of a command's manual page: "intact-seal"; that of the program itself: "intact".
std::string page_name(const CommandModel& program, const CommandModel& command);

/// A manual page: synopsis, arguments, options and commands out of the model, the rest out of
/// `prose`, Markdown whose first part (before any heading) is the description. Commands of a group
/// are sections of its page; those of the program have pages of their own.
std::string make_man_page(const CommandModel& program, const CommandModel& command,
                          std::string_view prose, const PageInfo& info);

}  // namespace intact::console
