#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <intact/base/result.h>

namespace intact::crash {

/// What both experiments need to know.
struct LabOptions {
  std::string root;   ///< the directory whose files are looked at; without symlinks in its path
  std::string check;  ///< shell commands that fail if the state is wrong
  std::vector<std::string> command;
  std::uint64_t most = 0;  ///< so many states or faults, chosen at random; 0: all
  std::uint64_t seed = 0;
};

/// Runs the command once, then checks what crashes at any time may leave of its work: see
/// crash_state(). With `most` 0 there are 20 random losses for each point in time.
///
/// The check finds ENDED=1 in its environment when the command had ended, so that what it
/// promised must be there, else ENDED=0.
Result<void> replay(const LabOptions& options);

/// Runs the command again and again, each time with the n-th of its system calls on files below
/// `root` failing with `error`, and checks what that leaves. The directory is put back before.
///
/// The check finds the exit status in STATUS and what the command said in the file $OUTPUT.
Result<void> inject(const LabOptions& options, int error);

/// Runs the command again and again, each time with a directory below `root` swapped for a symbolic
/// link just before one of its system calls that concern it. The link leads to a copy of the
/// directory, outside of `root`, in which nothing may change. With `most` 0 every directory is
/// swapped at every call.
///
/// The check finds the exit status in STATUS and what the command said in the file $OUTPUT. The
/// root is as the command left it.
Result<void> swap(const LabOptions& options);

/// Runs shell commands with variables added to the environment; what they print goes to `output`.
Result<int> run_shell(const std::string& commands, const std::vector<std::string>& variables,
                      const std::string& output);

}  // namespace intact::crash
