#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/crypto/block_hasher.h>

namespace intact::crypto {

/// Hashes many messages of one length like BlockHasher, by any function that the kernel's crypto
/// API takes for dm-integrity and that is here: those of find_hash_function(), "blake2b-160" to
/// "blake2b-512" (with a key or without), "hmac(...)" and "cmac(aes)". Thread-safe.
class BlockMac {
 public:
  /// unsupported for an unknown name; bad_secret for a key that is missing, or that the function
  /// does not take. Copies of the key, and states that were computed from it, are wiped.
  static Result<std::unique_ptr<const BlockMac>> create(std::string_view name, ByteSpan key,
                                                        std::size_t block_size,
                                                        MessageFrame frame = {});
  virtual ~BlockMac() = default;

  virtual std::size_t digest_size() const = 0;  ///< bytes
  /// As BlockHasher::hash().
  virtual void hash(ByteSpan blocks, ByteSpan heads, MutableByteSpan digests) const = 0;
};

}  // namespace intact::crypto
