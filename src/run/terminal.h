#pragma once

#include <string>

#include <sys/types.h>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>
#include <intact/run/bundle.h>

namespace intact::run {

/// The size of the terminal at stdin; zeros where there is none.
TerminalSize caller_terminal_size();

/// The socket on which a runtime passes the terminal that it made for a container ("console socket"
/// of runc and crun).
class ConsoleSocket {
 public:
  static Result<ConsoleSocket> listen(const std::string& path);
  /// The master of the container's terminal, from a runtime that has ended: it has been sent by
  /// then.
  Result<UniqueFd> receive() const;

 private:
  UniqueFd listener_;
};

/// A terminal of our own; its slave goes to a runtime that uses what it is given (runsc).
struct Terminal {
  UniqueFd master, slave;
};
Result<Terminal> make_terminal(TerminalSize size);

/// Starts the process that connects the caller's terminal with `master`: keys and output in both
/// directions, and the size at each change. It switches the caller's terminal to raw mode;
/// run_container() restores it. The process ends once nobody has the slave open.
Result<pid_t> connect_terminal(UniqueFd master);

}  // namespace intact::run
