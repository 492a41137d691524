#pragma once

#include <cstddef>
#include <memory>

#include "block_engine.h"

namespace intact::crypto {

/// Bytes of a digest of the function that libgcrypt has under this name; 0 if it has none of a
/// fixed size, or must not use it (FIPS mode).
std::size_t gcrypt_digest_size(const char* name);

/// One block after the other. The name is one that has a digest size.
std::unique_ptr<BlockEngine> make_gcrypt_engine(const char* name, const BlockShape& shape);

}  // namespace intact::crypto
