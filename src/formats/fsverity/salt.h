#pragma once

#include <utility>

#include <intact/crypto/block_hasher.h>
#include <intact/fsverity/params.h>

namespace intact::fsverity {

/// The hasher of every block under these params. The salt is zero-padded to the hash function's
/// input block (fs/verity/hash_algs.c), so that its state after the salt could be kept.
inline crypto::BlockHasher make_hasher(const Params& params) {
  Bytes prefix = params.salt;
  if (!prefix.empty()) prefix.resize(params.algorithm == HashAlgorithm::sha256 ? 64 : 128);
  return crypto::BlockHasher(params.algorithm, params.block_size, {.prefix = std::move(prefix)});
}

}  // namespace intact::fsverity
