#include "ending.h"

#include <chrono>
#include <mutex>
#include <thread>

#include <unistd.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include <intact/base/error.h>

#include "server.h"

namespace intact {
namespace {

constexpr std::chrono::milliseconds kGrace(500);

/// Ends all writing and makes durable what was written.
Result<void> close_stack() {
  Server& own = server();
  const std::unique_lock lock(own.writing);
  own.closed = true;
  return own.stack->close();
}

}  // namespace

void cleanup() {
  static std::once_flag done;
  std::call_once(done, [] {
    Server& own = server();
    if (!own.unlink.empty()) ::unlink(own.unlink.c_str());
    if (!own.stack) return;
    const auto closed = own.life->close(
        {}, {.close = close_stack, .summary = [&own] { return own.stack->summary(); }});
    if (!closed) own.status = exit_status(closed.error());
  });
}

void end_server() {
  nbdkit_shutdown();
  std::this_thread::sleep_for(kGrace);
  cleanup();
  ::_exit(server().status);
}

void unload() {
  if (server().serving) ::_exit(server().status);
}

}  // namespace intact
