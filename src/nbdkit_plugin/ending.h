#pragma once

#include <intact/base/result.h>

namespace intact {

/// Starts what waits for the end, once nbdkit has set its handlers of signals.
///
/// When it is told to end, nbdkit waits until its clients have gone by themselves, idle or not.
/// Whoever ends a server wants it to end, and a client that is cut off knows which of its writes
/// were answered: so they get a moment, and then the volume is closed and the process ends.
Result<void> watch_for_end();

/// Ends the server, from any thread; its exit status is then that of damage.
void stop_because_of_damage();

/// nbdkit's `cleanup`: closes the stack and removes the socket, once, whoever comes first.
void cleanup();

/// nbdkit's `unload`, the last that it calls. It would unmap us, with a thread that still waits,
/// and end with 0 whatever has happened.
void unload();

}  // namespace intact
