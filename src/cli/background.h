#pragma once

#include <functional>
#include <vector>

#include <intact/base/result.h>

namespace intact::cli {

/// Opens /dev/null as those of descriptors 0 to 2 that we were started without: otherwise a file of
/// ours would get their number and be taken for the terminal.
Result<void> fill_standard_descriptors();

/// The process that run_in_background() starts, seen from inside.
class BackgroundProcess {
 public:
  /// Gets the byte 'R' from whoever finds out that the process does its work now; owned by the
  /// caller. May be taken once.
  int take_ready_fd();
  /// Leaves the terminal: a session of its own, directory /, no descriptor that the parent was
  /// started with but stdin from /dev/null, stdout and stderr to `log_fd`.
  void leave_terminal(int log_fd);
  /// Only the last of these: for who executes another program, which is to leave the terminal once
  /// it is ready. Whatever the parent was started with must not be needed any more.
  void close_inherited(int log_fd);

 private:
  friend Result<void> run_in_background(const std::function<Result<void>(BackgroundProcess&)>&);
  int ready_fd_ = -1;
  std::vector<int> inherited_;
};

/// Forks, runs `body` in the child and returns once it is ready or has failed: with its error, as
/// if it had been called here. What the body writes to stderr before leave_terminal() still reaches
/// the user. The child ends with the body; errors after it was ready are the body's to log. To be
/// called while there is one thread only.
Result<void> run_in_background(const std::function<Result<void>(BackgroundProcess&)>& body);

}  // namespace intact::cli
