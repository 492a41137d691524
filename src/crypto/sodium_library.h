#pragma once

namespace intact::crypto {

/// libsodium chooses its implementations once; called before any other use of it but the memory
/// helpers. Thread-safe.
void require_sodium();

}  // namespace intact::crypto
