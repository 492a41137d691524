#pragma once

#include <functional>
#include <vector>

#include <sys/types.h>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>

namespace intact::service {

/// Opens /dev/null as those of descriptors 0 to 2 that are closed at start: otherwise a file that
/// we open would get such a number and be taken for the terminal.
Result<void> fill_standard_descriptors();

/// What a process that waits for another one reads from it once that does its work.
inline constexpr char kReady = 'R';
/// Writes kReady and closes the descriptor. Returns whether anyone is there to read it.
bool tell_ready(UniqueFd ready);

/// Makes the process one that no terminal knows of: a session of its own, directory /, stdin from
/// /dev/null, stdout and stderr to `log_fd`.
void leave_terminal(int log_fd);

/// The process that run_in_background() starts, as its body sees it.
class BackgroundProcess {
 public:
  /// For tell_ready(), by this process or another. May be taken once.
  UniqueFd take_ready();
  /// service::leave_terminal(), and closes the descriptors that the parent was started with.
  void leave_terminal(int log_fd);
  /// Closes the descriptors that the parent was started with, except `log_fd`: for a process that
  /// executes another program, which leaves the terminal itself once it is ready.
  void close_inherited(int log_fd);

 private:
  friend Result<pid_t> run_in_background(const std::function<Result<void>(BackgroundProcess&)>&);
  UniqueFd ready_;
  std::vector<int> inherited_;
};

/// Forks, runs `body` in the child and returns the child's process id once it is ready, or the
/// error with which the body failed before. What the body writes to stderr before leave_terminal()
/// still reaches the user. The child ends with the body, which logs its own errors once it is
/// ready. Must be called while the process has one thread only.
Result<pid_t> run_in_background(const std::function<Result<void>(BackgroundProcess&)>& body);

/// Ends what run_in_background() has started, as SIGTERM does, and waits until it has ended.
void end_background(pid_t child);

}  // namespace intact::service
