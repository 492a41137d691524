#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>

#include <intact/base/unique_fd.h>
#include <intact/block/byte_device.h>
#include <intact/service/server.h>
#include <intact/stack/stack.h>

namespace intact {

/// The state of the plugin. It is set before the first client connects, and constant afterwards.
struct Server {
  UniqueFd description;
  UniqueFd log;     // in place of stderr
  UniqueFd ready;   // gets a byte once clients can connect; then the server leaves the terminal
  UniqueFd output;  // gets the announcement once clients can connect, since nbdkit hides stdout
  std::string announcement;
  std::string unlink;  // the unix socket
  std::optional<service::Server> life;
  std::unique_ptr<service::EndRequest> end;
  std::optional<stack::Stack> stack;
  std::shared_ptr<block::Device> device;  // its top; takes writes of any bytes
  std::shared_mutex writing;              // shared by writers
  bool closed = false;                    // no more writes
  bool serving = false;                   // clients can connect
  std::atomic<int> status = 0;            // exit status
};

/// The only one in this process: nbdkit has one plugin and calls functions without a context.
Server& server();

}  // namespace intact
