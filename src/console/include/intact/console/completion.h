#pragma once

#include <functional>
#include <string>
#include <vector>

#include <intact/console/command_model.h>

namespace intact::console {

struct Candidate {
  std::string text;
  std::string description;
};

/// Completions of the last word of a command line.
struct Completion {
  std::vector<Candidate> candidates;
  bool files = false;        ///< and any file, which the shell knows best
  bool directories = false;  ///< and any directory
  bool open_ended = false;   ///< the candidates are beginnings: no space follows them
};

/// Where names come from. None of these fails: where there is nothing to list they return nothing.
struct CompletionSources {
  /// Names of the images in a store: `directory`, or the default one if that is empty.
  std::function<std::vector<std::string>(const std::string& directory)> images;
  /// Tags of the images in a layout.
  std::function<std::vector<std::string>(const std::string& layout)> tags;
  /// Directories on which images are mounted.
  std::function<std::vector<std::string>()> mounts;
};

/// Completes the last of `words`, which are those after the program's name. The words before it are
/// taken to be correct.
Completion complete(const CommandModel& program, const std::vector<std::string>& words,
                    const CompletionSources& sources);

/// The lines that the shells' scripts read: "TEXT<tab>DESCRIPTION" for each candidate that starts
/// with `prefix`, then ":" and those of the words files, directories, open that apply. Candidates
/// with control characters are left out.
std::string to_lines(const Completion& completion, const std::string& prefix);

}  // namespace intact::console
