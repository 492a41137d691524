#include <algorithm>
#include <filesystem>
#include <set>

#include <intact/console/completion.h>

namespace intact::console {
namespace {

using Kind = ValueForm::Kind;
using TagLister = decltype(CompletionSources::tags);

/// Where in the command line we are.
struct Position {
  const CommandModel* command;
  const OptionModel* option = nullptr;  ///< whose value is next
  std::size_t positionals = 0;          ///< how many there were
  bool options_ended = false;           ///< by "--"
  std::set<std::string> given;          ///< options, by their first name
  std::string store;
};

/// `run` leaves everything after the image's name to the container.
bool is_containers(const Position& at) {
  return at.command->name == "run" && at.positionals > 0;
}

void step(Position& at, const CommandModel& program, const std::string& word) {
  if (at.option != nullptr) {
    if (at.option->names.back() == "--store") at.store = word;
    at.option = nullptr;
    return;
  }
  if (is_containers(at)) return;
  if (!at.options_ended && word.starts_with("-") && word != "-") {
    if (word == "--") {
      at.options_ended = true;
      return;
    }
    const std::size_t equals = word.find('=');
    const OptionModel* option = at.command->find_option(word.substr(0, equals));
    if (option == nullptr) return;
    at.given.insert(option->names.front());
    if (equals == std::string::npos && option->takes_value()) at.option = option;
    if (equals != std::string::npos && option->names.back() == "--store")
      at.store = word.substr(equals + 1);
    return;
  }
  if (const CommandModel* command = at.command->find_command(word);
      command != nullptr && !at.options_ended) {
    at.command = command;
    return;
  }
  if (at.command->name == "help" && at.positionals == 0) {
    // Its words are commands of the program; after the first they are found as usual.
    if (const CommandModel* command = program.find_command(word)) {
      at.command = command;
      at.options_ended = true;
    }
    return;
  }
  ++at.positionals;
}

/// The paths that begin like `typed`, directories with a slash. With `tags`, what follows the path
/// of a layout as well.
void add_paths(const std::string& prefix, const std::string& typed, bool directories_only,
               const TagLister* tags, Completion& completion) {
  namespace fs = std::filesystem;
  const std::size_t slash = typed.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : typed.substr(0, slash + 1);
  const std::string begin = typed.substr(folder.size());
  std::error_code error;
  constexpr std::size_t kMaxPaths = 10'000;
  for (fs::directory_iterator entries(folder.empty() ? "." : folder, error), end;
       !error && entries != end && completion.candidates.size() < kMaxPaths;
       entries.increment(error)) {
    const std::string name = entries->path().filename().string();
    if (!name.starts_with(begin) || (begin.empty() && name.starts_with("."))) continue;
    std::error_code ignored;
    const bool directory = entries->is_directory(ignored);
    if (directories_only && !directory) continue;
    completion.candidates.push_back({prefix + folder + name + (directory ? "/" : ""), ""});
  }
  const bool has_paths = !completion.candidates.empty();
  const std::size_t colon = typed.rfind(':');
  completion.open_ended = true;
  if (!tags || colon == std::string::npos || colon == 0) return;
  const auto found = (*tags)(typed.substr(0, colon));
  for (const std::string& tag : found)
    completion.candidates.push_back({prefix + typed.substr(0, colon + 1) + tag, ""});
  completion.open_ended = has_paths || found.empty();
}

void add_values(const OptionModel& option, const std::string& typed, const Position& at,
                const CommandModel& program, const CompletionSources& sources,
                Completion& completion) {
  for (const ValueForm& form : option.forms) {
    if (!form.word.ends_with(':')) {
      if (form.kind == Kind::word) completion.candidates.push_back({form.word, ""});
      completion.files = completion.files || form.kind == Kind::file;
      completion.directories = completion.directories || form.kind == Kind::directory;
      if (form.kind == Kind::image)
        for (std::string& name : sources.images(at.store))
          completion.candidates.push_back({std::move(name), ""});
      if (form.kind == Kind::mount)
        for (std::string& mount : sources.mounts())
          completion.candidates.push_back({std::move(mount), ""});
      if (form.kind == Kind::command)
        for (const CommandModel& command : program.commands)
          completion.candidates.push_back({command.name, command.description});
    } else if (typed.starts_with(form.word)) {
      add_paths(form.word, typed.substr(form.word.size()), form.kind == Kind::directory,
                form.has_tag && form.kind == Kind::directory ? &sources.tags : nullptr, completion);
    } else if (form.word.starts_with(typed)) {
      completion.candidates.push_back({form.word, ""});
      completion.open_ended = true;
    }
  }
}

void add_options(const Position& at, Completion& completion) {
  for (const OptionModel& option : at.command->options) {
    if (at.given.contains(option.names.front()) && !option.repeatable) continue;
    for (const std::string& name : option.names)
      completion.candidates.push_back({name, option.description});
  }
}

}  // namespace

Completion complete(const CommandModel& program, const std::vector<std::string>& words,
                    const CompletionSources& sources) {
  Completion completion;
  if (words.empty()) return completion;
  Position at{.command = &program};
  for (std::size_t i = 0; i + 1 < words.size(); ++i) step(at, program, words[i]);
  const std::string& typed = words.back();

  if (at.option != nullptr) {
    add_values(*at.option, typed, at, program, sources, completion);
  } else if (is_containers(at)) {
    completion.files = true;
  } else if (typed.starts_with("-") && !at.options_ended) {
    const std::size_t equals = typed.find('=');
    if (equals == std::string::npos) {
      add_options(at, completion);
    } else if (const OptionModel* option = at.command->find_option(typed.substr(0, equals))) {
      add_values(*option, typed.substr(equals + 1), at, program, sources, completion);
      // Shells match against the whole word.
      for (Candidate& candidate : completion.candidates)
        candidate.text.insert(0, typed, 0, equals + 1);
    }
  } else {
    if (at.positionals == 0) {
      for (const CommandModel& command : at.command->commands)
        completion.candidates.push_back({command.name, command.description});
    }
    const auto& positionals = at.command->positionals;
    if (!positionals.empty() &&
        (at.positionals < positionals.size() || positionals.back().repeatable))
      add_values(positionals[std::min(at.positionals, positionals.size() - 1)], typed, at, program,
                 sources, completion);
  }
  return completion;
}

std::string to_lines(const Completion& completion, const std::string& prefix) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  std::string lines;
  for (const Candidate& candidate : completion.candidates) {
    if (!candidate.text.starts_with(prefix) ||
        std::any_of(candidate.text.begin(), candidate.text.end(), is_control))
      continue;
    lines += candidate.text;
    if (!candidate.description.empty()) lines += "\t" + candidate.description;
    lines += '\n';
  }
  lines += ':';
  if (completion.files) lines += " files";
  if (completion.directories) lines += " directories";
  if (completion.open_ended) lines += " open";
  return lines + "\n";
}

}  // namespace intact::console
