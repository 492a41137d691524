#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include <intact/crypto/block_hasher.h>

#include "evp.h"

namespace intact::crypto {

/// What a BlockHasher hashes.
struct BlockShape {
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

std::unique_ptr<BlockEngine> make_openssl_engine(const EVP_MD* method, BlockShape shape);

/// With no `engine` the fastest for each number of blocks.
std::unique_ptr<BlockEngine> make_engine(HashAlgorithm algorithm, BlockShape shape,
                                         std::optional<HashEngine> engine);

}  // namespace intact::crypto
