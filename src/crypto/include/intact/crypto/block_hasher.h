#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/crypto/hash_function.h>

namespace intact::crypto {

/// Ways to hash many messages.
enum class HashEngine {
  openssl,  ///< one after the other, by OpenSSL: everywhere, every function
  sha_ni,   ///< SHA-256: two at a time with the instructions made for it
  avx2,     ///< SHA-256: 8 at a time; SHA-512: 4
  avx512,   ///< SHA-256: 16 or 32 at a time; SHA-512: 8 or 16
};
std::string_view to_string(HashEngine engine);

/// The engines that work for `algorithm` on this processor; openssl always does.
std::vector<HashEngine> available_engines(HashAlgorithm algorithm);

class BlockEngine;

/// What is hashed with each block: prefix, head, block and suffix, in this order.
struct MessageFrame {
  Bytes prefix = {};          ///< the same for all: fs-verity's padded salt, dm-verity's salt
  std::size_t head_size = 0;  ///< bytes that are each block's own: dm-integrity's sector number
  Bytes suffix = {};          ///< the same for all: the salt of dm-verity's hash type 0
};

/// Hashes many messages of one length in parallel, as every hash tree needs it. A message is a
/// block in its frame. Many blocks in one call are several times as fast as one block in each call.
/// Copies share their state. Thread-safe.
///
///     BlockHasher hasher(HashAlgorithm::sha256, 4096, {.prefix = salt});
///     Bytes digests(hasher.digest_size() * blocks.size() / hasher.block_size());
///     hasher.hash(blocks, digests);
class BlockHasher {
 public:
  /// `block_size` in bytes. `engine`: one of available_engines(), or none for what is fastest for
  /// the number of blocks of each call.
  BlockHasher(HashAlgorithm algorithm, std::size_t block_size, MessageFrame frame = {},
              std::optional<HashEngine> engine = {});

  /// For any function that find_hash_function() finds. SHA-256 and SHA-512 get the fast engines
  /// here, too.
  BlockHasher(const HashFunction& function, std::size_t block_size, MessageFrame frame = {});

  std::size_t block_size() const { return block_size_; }    ///< bytes
  std::size_t digest_size() const { return digest_size_; }  ///< bytes

  /// `blocks` contains n whole blocks, `heads` their n heads; `digests` receives their n digests.
  /// Their order is the same.
  void hash(ByteSpan blocks, ByteSpan heads, MutableByteSpan digests) const;
  /// For frames without heads.
  void hash(ByteSpan blocks, MutableByteSpan digests) const { hash(blocks, {}, digests); }

 private:
  std::size_t block_size_;
  std::size_t head_size_;
  std::size_t digest_size_;
  std::shared_ptr<const BlockEngine> engine_;
};

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
