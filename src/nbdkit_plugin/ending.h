#pragma once

namespace intact {

/// Ends the server, which was told to end or stopped because of damage.
///
/// nbdkit, when it is told to end, waits until all clients have disconnected by themselves, even
/// idle ones. A server that is told to end should end, and a client that is cut off knows which of
/// its writes were answered. So clients get a moment, then the volume is closed and the process
/// exits.
[[noreturn]] void end_server();

/// nbdkit's `cleanup`: closes the stack and removes the socket. Only the first call does anything.
void cleanup();

/// nbdkit's `unload`, its last call. Exits, because nbdkit would unmap this plugin while a thread
/// of it still waits, and would always exit with 0.
void unload();

}  // namespace intact
