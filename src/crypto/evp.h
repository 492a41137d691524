#pragma once

#include <openssl/evp.h>

#include <intact/base/digest.h>

namespace intact::crypto {

/// Ends the program with a message unless OpenSSL did its work: a hash function is always there.
void require_hash(bool ok);

/// Fetched once: looking an algorithm up takes longer than hashing a small block.
const EVP_MD* hash_method(HashAlgorithm algorithm);

/// A context for each thread, for hashes that begin and end within one call.
EVP_MD_CTX* thread_hash_context();

}  // namespace intact::crypto
