#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>
#include <intact/stack/stack.h>

namespace intact::stack {

/// Publishes the counters of an open stack while it is served: a client that connects to a unix
/// socket gets Stack::status(). The permissions of the socket's directory decide who can connect.
/// The name of the socket is made of the identity of a file and the process id.
class StatusServer {
 public:
  /// Starts a thread. Null if the stack has no counters or is not known by a file. Removes sockets
  /// in `dir` that killed servers left behind.
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

/// Asks the servers of a file, open here as `fd`, for their counters. Returns the text of each that
/// answers; killed servers do not.
std::vector<std::string> ask_status_servers(const std::string& dir, int fd);

}  // namespace intact::stack
