#pragma once

#include <cstddef>
#include <optional>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/crypto/hash.h>
#include <intact/crypto/hash_function.h>
#include <intact/verity/params.h>

namespace intact::verity {

/// The digest of a block as the hash type has it: salt in front or behind. Thread-safe.
class BlockDigester {
 public:
  /// For blocks of `block_size` bytes. The params must be checked ones.
  static Result<BlockDigester> create(const Params& params, std::size_t block_size);

  std::size_t digest_size() const { return function_.digest_size(); }
  std::size_t block_size() const { return block_size_; }

  /// n blocks one behind the other, n digests likewise.
  void digest(ByteSpan blocks, MutableByteSpan digests) const;

 private:
  BlockDigester(const Params& params, std::size_t block_size, crypto::HashFunction function);

  crypto::HashFunction function_;
  std::size_t block_size_;
  Bytes salt_;
  HashType hash_type_;
  std::optional<crypto::BlockHasher> many_;  ///< where many blocks can be hashed at once
};

}  // namespace intact::verity
