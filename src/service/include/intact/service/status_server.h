#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <sys/types.h>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>

namespace intact::service {

/// Publishes the state of a server while it serves: a client that connects to a unix socket gets a
/// text. The permissions of the socket's directory decide who can connect. The name of the socket
/// is made of the identity of a file and the process id.
class StatusServer {
 public:
  /// Called for each client, on the thread of the server.
  using Text = std::function<std::string()>;
  /// Starts a thread. Clients find the server by the file that is open here as `known_by`. Removes
  /// sockets in `dir` that killed servers left behind.
  static Result<std::unique_ptr<StatusServer>> start(const std::string& dir, int known_by,
                                                     Text text);
  /// Ends the thread and removes the socket.
  ~StatusServer();
  StatusServer(const StatusServer&) = delete;
  StatusServer& operator=(const StatusServer&) = delete;

 private:
  explicit StatusServer(Text text) : text_(std::move(text)) {}
  void serve();

  UniqueFd dir_;
  std::string name_;
  UniqueFd listener_;
  Text text_;
  std::thread thread_;
};

/// Asks a user's servers of a file, open here as `fd`, for their text. Returns that of each that
/// answers; killed servers do not.
std::vector<std::string> ask_status_servers(uid_t user, int fd);
/// Those in one directory, open here as `dir`. Waits for a few seconds at most, whatever they do.
std::vector<std::string> ask_status_servers_in(int dir, int fd);

}  // namespace intact::service
