#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include <intact/base/block_cache.h>
#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/verity/fec.h>
#include <intact/verity/geometry.h>

#include "block_digester.h"

namespace intact::verity {

/// A block of the tree: of level 0 and up, or a data block below it.
struct Node {
  static constexpr int kData = -1;
  int level;  ///< kData, or the level of a hash block
  std::uint64_t index;
};

/// The verified hash blocks of a device. None is handed out before it has been checked up to the
/// root. Thread-safe.
class HashTree {
 public:
  using Block = BlockCache::Block;
  enum class Mending { yes, no };

  /// The params and the geometry belong together; `hash` holds the area from `offset` on.
  static Result<std::unique_ptr<HashTree>> create(const Params& params, const Geometry& geometry,
                                                  ByteSpan root,
                                                  std::shared_ptr<const ByteSource> hash,
                                                  std::uint64_t offset,
                                                  std::optional<FecDecoder> fec,
                                                  std::size_t cache_size);

  const Geometry& geometry() const { return geometry_; }
  const crypto::BlockHasher& data_digester() const { return data_digester_; }

  /// The verified hash block `index` of `level`. tampered if it is bad and was not to be or could
  /// not be mended; io if it cannot be read.
  Result<Block> block(int level, std::uint64_t index, Mending mending) const;

  /// The digest that a block must have.
  Result<Bytes> expected_digest(Node node, Mending mending) const;

  /// Slot of child `index` in its parent.
  ByteSpan digest_in(const Bytes& parent, std::uint64_t index) const;
  /// The root hash: what the only data block of a device without hash blocks must have.
  ByteSpan root() const { return root_; }

  Node node_at(std::uint64_t hash_block) const;  ///< by its place in the hash area
  std::uint64_t place_of(Node node) const;       ///< the inverse, for hash blocks

  /// Whether `content` is what stands behind `digest` at this node.
  bool has_digest(Node node, ByteSpan content, ByteSpan digest) const;

  /// Whether a hash block holds the digests of the blocks below it and zeros, as it is defined.
  /// Others are no danger to those blocks, but hint at a wrong number of blocks.
  bool has_zero_padding(Node node, ByteSpan content) const;

  bool can_mend() const { return fec_.has_value(); }
  /// The true content of a block out of the FEC area.
  Result<Bytes> mend(Node node) const;
  std::uint64_t mended_hash_blocks() const { return mended_.load(std::memory_order_relaxed); }

 private:
  HashTree(const Geometry& geometry, crypto::BlockHasher data, crypto::BlockHasher hash);

  FecDecoder::State judge(std::uint64_t covered_block, ByteSpan content) const;

  Geometry geometry_;
  crypto::BlockHasher data_digester_;
  crypto::BlockHasher hash_digester_;
  Bytes root_;
  std::shared_ptr<const ByteSource> hash_;
  std::uint64_t offset_ = 0;
  std::optional<FecDecoder> fec_;
  /// The lowest level and those above it, which must not be driven out by it.
  std::unique_ptr<BlockCache> leaves_;
  std::unique_ptr<BlockCache> upper_;
  mutable std::atomic<std::uint64_t> mended_ = 0;
};

}  // namespace intact::verity
