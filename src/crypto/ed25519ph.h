#pragma once

#include <cstddef>

#include <intact/base/bytes.h>
#include <intact/crypto/secret.h>

namespace intact::crypto {

/// Ed25519ph of RFC 8032 with an empty context: the message's SHA-512 is signed. OpenSSL learnt it
/// in version 3.2 only, so libsodium does it.
inline constexpr std::size_t kEd25519PublicSize = 32;  // bytes
inline constexpr std::size_t kEd25519SeedSize = 32;    // bytes

/// `point` has kEd25519PublicSize bytes.
bool verify_ed25519ph(ByteSpan point, ByteSpan message, ByteSpan signature);
/// `seed` has kEd25519SeedSize bytes.
Bytes sign_ed25519ph(const Secret& seed, ByteSpan message);

}  // namespace intact::crypto
