#pragma once

#include <string>

#include <sys/types.h>

#include <intact/base/result.h>
#include <intact/run/bundle.h>

#include "runtime.h"
#include "streams.h"

namespace intact::run {

/// What one attempt to run a container needs besides the runtime.
struct RuntimeTask {
  const Bundle* bundle = nullptr;
  const HostFacts* host = nullptr;
  std::string room;                           ///< private directory with "bundle" and "state"
  const ContainerStreams* streams = nullptr;  ///< of a container without a terminal of its own
  /// Signals for the container come from here, one byte each; its end means that the caller died.
  int control_fd = -1;
  /// Readable once the container is to be killed because of damage; -1: never.
  int kill_fd = -1;
  pid_t root_server = -1;  ///< the process that serves the root; -1: none
};

/// How one attempt with a runtime ended.
struct Attempt {
  bool started = false;
  int status = 0;
  int signal = 0;     ///< the last that was passed on
  std::string error;  ///< the runtime's own words, when it did not start
};

/// Runs the bundle with `runtime` until the container ends. Must be called by the first process of
/// the process namespace, which inherits the container's processes. Errors: io, cancelled (the
/// caller died), tampered (killed because of damage).
Result<Attempt> run_runtime(const Runtime& runtime, const RuntimeTask& task);

}  // namespace intact::run
