#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/verity/fec.h>
#include <intact/verity/params.h>

#include "block_cache.h"
#include "block_digester.h"

namespace intact::verity {

/// A block of the tree: of level 0 and up, or a data block below it.
struct Node {
  static constexpr int kData = -1;
  int level;  ///< kData, or the level of a hash block
  std::uint64_t index;
};

/// The verified hash blocks of a device. Each is checked up to the root hash before it is returned.
/// Thread-safe.
class HashTree {
 public:
  using Block = BlockCache::Block;
  enum class Correction { yes, no };

  /// The params and the geometry belong together; `hash` holds the area from `offset` on.
  static Result<std::unique_ptr<HashTree>> create(const Params& params, const Geometry& geometry,
                                                  ByteSpan root,
                                                  std::shared_ptr<const ByteSource> hash,
                                                  std::uint64_t offset,
                                                  std::optional<FecDecoder> fec,
                                                  std::size_t cache_size);

  const Geometry& geometry() const { return geometry_; }
  const crypto::BlockHasher& data_digester() const { return data_digester_; }

  /// The verified hash block `index` of `level`. tampered if it is bad and is not to be or cannot
  /// be corrected; io if it cannot be read.
  Result<Block> block(int level, std::uint64_t index, Correction correction) const;

  /// The digest that a block must have.
  Result<Bytes> expected_digest(Node node, Correction correction) const;

  /// Slot of child `index` in its parent.
  ByteSpan digest_in(const Bytes& parent, std::uint64_t index) const;
  /// The root hash, which is the digest of the only data block of a device without hash blocks.
  ByteSpan root() const { return root_; }

  Node node_at(std::uint64_t hash_block) const;  ///< by its place in the hash area
  std::uint64_t place_of(Node node) const;       ///< the inverse, for hash blocks

  /// Whether `content` has this digest as a block at this node.
  bool has_digest(Node node, ByteSpan content, ByteSpan digest) const;

  /// Whether a hash block contains only the digests of the blocks below it and zeros, as the format
  /// requires. Otherwise those blocks are safe, but the number of blocks may be wrong.
  bool has_zero_padding(Node node, ByteSpan content) const;

  bool can_correct() const { return fec_.has_value(); }
  /// The true content of a block, from the FEC area.
  Result<Bytes> correct(Node node) const;
  /// The same for several bad data blocks of one group of the FEC code, which are decoded together.
  Result<std::vector<std::optional<Bytes>>> correct_data(
      std::span<const std::uint64_t> blocks) const;
  std::uint64_t fec_groups() const { return fec_->groups(); }  ///< only where can_correct()
  /// Makes block() fail at once for hash blocks that it could not correct before. For scans, which
  /// would decode such a block again for each of its children.
  void remember_failures() { remembers_failures_ = true; }
  std::uint64_t corrected_hash_blocks() const { return corrected_.load(std::memory_order_relaxed); }

 private:
  HashTree(const Geometry& geometry, crypto::BlockHasher data, crypto::BlockHasher hash);

  bool has_failed(std::uint64_t place) const;
  FecDecoder::State judge(std::uint64_t covered_block, ByteSpan content) const;

  Geometry geometry_;
  crypto::BlockHasher data_digester_;
  crypto::BlockHasher hash_digester_;
  Bytes root_;
  std::shared_ptr<const ByteSource> hash_;
  std::uint64_t offset_ = 0;
  std::optional<FecDecoder> fec_;
  /// The lowest level, and those above it, which it must not evict.
  std::unique_ptr<BlockCache> leaves_;
  std::unique_ptr<BlockCache> upper_;
  mutable std::atomic<std::uint64_t> corrected_ = 0;
  std::atomic<bool> remembers_failures_ = false;
  mutable std::mutex failed_mutex_;
  mutable std::set<std::uint64_t> failed_;  ///< places of hash blocks
};

}  // namespace intact::verity
