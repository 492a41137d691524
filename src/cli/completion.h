#pragma once

#include <functional>
#include <string>
#include <vector>

#include "command_model.h"

namespace intact::cli {

struct Candidate {
  std::string text;
  std::string description;
};

/// What may stand in place of the last word of a command line.
struct Completion {
  std::vector<Candidate> candidates;
  bool files = false;        ///< and any file, which the shell knows best
  bool directories = false;  ///< and any directory
  bool open_ended = false;   ///< the candidates are beginnings: no space behind them
};

/// Names of the images in a store: `directory`, or the usual one when that is empty. Never fails.
using ListImages = std::function<std::vector<std::string>(const std::string& directory)>;

/// Completes the last of `words`, which are those behind the program's name. The words before it
/// are believed to be right; where they are not there is little to complete.
Completion complete(const CommandModel& program, const std::vector<std::string>& words,
                    const ListImages& list_images);

/// What the shells' scripts read: a line "TEXT<tab>DESCRIPTION" for each candidate that starts with
/// `prefix`, at last one of ":" and the words files, directories, open that apply. Candidates with
/// control characters are left out.
std::string to_lines(const Completion& completion, const std::string& prefix);

}  // namespace intact::cli
