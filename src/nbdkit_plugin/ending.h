#pragma once

#include <intact/base/result.h>

namespace intact {

/// Starts the thread that ends the server, once nbdkit has installed its signal handlers.
///
/// nbdkit, when it is told to end, waits until all clients have disconnected by themselves, even
/// idle ones. A server that is told to end should end, and a client that is cut off knows which of
/// its writes were answered. So clients get a moment, then the volume is closed and the process
/// exits.
Result<void> watch_for_end();

/// Ends the server with the exit status of damage. Thread-safe.
void stop_because_of_damage();

/// nbdkit's `cleanup`: closes the stack and removes the socket. Only the first call does anything.
void cleanup();

/// nbdkit's `unload`, its last call. Exits, because nbdkit would unmap this plugin while a thread
/// of it still waits, and would always exit with 0.
void unload();

}  // namespace intact
