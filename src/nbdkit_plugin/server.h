#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>

#include <intact/base/line_log.h>
#include <intact/base/unique_fd.h>
#include <intact/block/byte_target.h>
#include <intact/stack/stack.h>
#include <intact/stack/status_server.h>

namespace intact {

/// All that the plugin knows; filled before the first client comes, constant from then on.
struct Server {
  UniqueFd description;
  UniqueFd log;     // in place of stderr
  UniqueFd ready;   // gets a byte once clients may come; the terminal is then left for the log
  UniqueFd output;  // where the announcement goes once clients may come: nbdkit hides stdout
  std::string announcement;
  std::string unlink;      // the unix socket
  std::string status_dir;  // where others may ask for the counts
  std::optional<LineLog> lines;
  std::optional<stack::Stack> stack;
  std::unique_ptr<stack::StatusServer> status_server;
  std::shared_ptr<block::BlockTarget> device;  // its top; takes writes of any bytes
  std::shared_mutex writing;                   // shared by whoever writes
  bool closed = false;                         // nobody may write any more
  bool serving = false;                        // clients may come
  std::atomic<int> status = 0;                 // with which to exit
};

/// The one of this process: nbdkit has one plugin, and calls functions without a context.
Server& server();

}  // namespace intact
