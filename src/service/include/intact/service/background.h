#pragma once

#include <functional>
#include <vector>

#include <intact/base/result.h>

namespace intact::service {

/// Opens /dev/null as those of descriptors 0 to 2 that are closed at start: otherwise a file that
/// we open would get such a number and be taken for the terminal.
Result<void> fill_standard_descriptors();

/// The process that run_in_background() starts, as its body sees it.
class BackgroundProcess {
 public:
  /// The descriptor that gets the byte 'R' once the process does its work; owned by the caller. May
  /// be taken once.
  int take_ready_fd();
  /// Leaves the terminal: starts a session, changes to /, closes the descriptors that the parent
  /// was started with, and connects stdin with /dev/null, stdout and stderr with `log_fd`.
  void leave_terminal(int log_fd);
  /// Closes the descriptors that the parent was started with, except `log_fd`: for a process that
  /// executes another program, which leaves the terminal itself once it is ready.
  void close_inherited(int log_fd);

 private:
  friend Result<void> run_in_background(const std::function<Result<void>(BackgroundProcess&)>&);
  int ready_fd_ = -1;
  std::vector<int> inherited_;
};

/// Forks, runs `body` in the child and returns once it is ready or has failed, with the error of
/// the body. What the body writes to stderr before leave_terminal() still reaches the user. The
/// child ends with the body, which logs its own errors once it is ready. Must be called while the
/// process has one thread only.
Result<void> run_in_background(const std::function<Result<void>(BackgroundProcess&)>& body);

}  // namespace intact::service
