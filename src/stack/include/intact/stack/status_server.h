#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>
#include <intact/stack/stack.h>

namespace intact::stack {

/// Tells others what an open stack counts, for as long as it is served: whoever connects to a unix
/// socket gets what Stack::status() says. The socket lies in a directory, which decides who that
/// may be, and has a name made of the file that the stack stands on and the process.
class StatusServer {
 public:
  /// Starts a thread. Null if the stack counts nothing. Sockets in `dir` that servers left there
  /// when they were killed go away.
  static Result<std::unique_ptr<StatusServer>> start(const std::string& dir, const Stack& stack);
  /// Ends the thread and removes the socket.
  ~StatusServer();
  StatusServer(const StatusServer&) = delete;
  StatusServer& operator=(const StatusServer&) = delete;

 private:
  explicit StatusServer(const Stack& stack) : stack_(stack) {}
  void serve();

  UniqueFd dir_;
  std::string name_;
  UniqueFd listener_;
  Stack stack_;
  std::thread thread_;
};

/// What the servers of a file, open here as `fd`, say of it: the text of each that answers. Those
/// that were killed do not.
std::vector<std::string> ask_status_servers(const std::string& dir, int fd);

}  // namespace intact::stack
