#pragma once

#include <cstddef>
#include <utility>

#include <intact/base/result.h>
#include <intact/crypto/block_hasher.h>
#include <intact/crypto/hash_function.h>
#include <intact/verity/params.h>

namespace intact::verity {

/// Hashes blocks of `block_size` bytes as the hash type has it: the salt in front, or behind.
inline Result<crypto::BlockHasher> make_block_digester(const Params& params,
                                                       std::size_t block_size) {
  const crypto::HashFunction function = TRY(crypto::find_hash_function(params.hash));
  crypto::MessageFrame frame;
  (params.hash_type == HashType::normal ? frame.prefix : frame.suffix) = params.salt;
  return crypto::BlockHasher(function, block_size, std::move(frame));
}

}  // namespace intact::verity
