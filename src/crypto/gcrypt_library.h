#pragma once

namespace intact::crypto {

/// The library sets itself up at its first use: once, and without a pool for secrets, of which we
/// give it none to keep. Another user of it in this process may have been first. Thread-safe.
void require_gcrypt();

/// Ends the program with a message unless libgcrypt did what it is asked for and cannot fail at.
void require_done(bool ok);

}  // namespace intact::crypto
