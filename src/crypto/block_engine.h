#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include <intact/crypto/block_hasher.h>
#include <intact/crypto/secret.h>

#include "evp.h"

namespace intact::crypto {

/// What a BlockHasher hashes. A key may be a part of the prefix (as for HMAC), so every copy of it
/// is wiped.
struct BlockShape {
  ~BlockShape() { wipe(frame.prefix); }

  std::size_t block_size;
  MessageFrame frame;
};

/// How a BlockHasher does its work. Thread-safe.
class BlockEngine {
 public:
  virtual ~BlockEngine() = default;
  /// `count` blocks, as many heads (if the frame has any), room for as many digests.
  virtual void hash(const std::byte* blocks, const std::byte* heads, std::byte* digests,
                    std::size_t count) const = 0;
};

std::unique_ptr<BlockEngine> make_openssl_engine(const EVP_MD* method, const BlockShape& shape);

/// With no `engine` the fastest for each number of blocks.
std::unique_ptr<BlockEngine> make_engine(HashAlgorithm algorithm, const BlockShape& shape,
                                         std::optional<HashEngine> engine);

}  // namespace intact::crypto
