#pragma once

#include <cstdint>

#include <intact/base/bytes.h>
#include <intact/crypto/hash_function.h>
#include <intact/crypto/secret.h>

namespace intact::crypto {

/// False if libgcrypt lacks the function, or refuses what it gets, such as an empty salt.
bool pbkdf2_by_gcrypt(const HashFunction& function, const Secret& password, ByteSpan salt,
                      std::uint64_t iterations, MutableByteSpan key);

}  // namespace intact::crypto
