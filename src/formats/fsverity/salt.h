#pragma once

#include <utility>

#include <intact/crypto/block_hasher.h>
#include <intact/fsverity/params.h>

namespace intact::fsverity {

/// Bytes that are hashed at once where there is a choice: enough blocks for hashing them side by
/// side (32 is the most that the hasher takes), little enough for the cache.
inline constexpr std::size_t kRun = 128 << 10;

/// The hasher of every block under these params. The salt is zero-padded to the hash function's
/// input block (fs/verity/hash_algs.c), so that its state after the salt could be kept.
inline crypto::BlockHasher make_hasher(const Params& params) {
  // There is one for each file, and nearly all are alike: those share what is costly to make.
  static const crypto::BlockHasher usual(HashAlgorithm::sha256, kDefaultBlockSize);
  if (params.algorithm == HashAlgorithm::sha256 && params.block_size == kDefaultBlockSize &&
      params.salt.empty())
    return usual;
  Bytes prefix = params.salt;
  if (!prefix.empty()) prefix.resize(params.algorithm == HashAlgorithm::sha256 ? 64 : 128);
  return crypto::BlockHasher(params.algorithm, params.block_size, {.prefix = std::move(prefix)});
}

}  // namespace intact::fsverity
