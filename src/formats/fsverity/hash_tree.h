#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <tuple>
#include <utility>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/crypto/block_hasher.h>
#include <intact/fsverity/hash_cache.h>
#include <intact/fsverity/params.h>

#include "geometry.h"
#include "recent_numbers.h"

namespace intact::fsverity {

/// The hash blocks of one file: read from a stored tree that is not trusted or, where that fails or
/// is absent, computed from the data; never returned before they have been verified up to the
/// digest. Thread-safe.
class HashTree {
 public:
  using Block = HashCache::Block;

  /// `data_fd` is borrowed. `stored` may be null. `cache` keeps the blocks that have been verified.
  HashTree(int data_fd, std::uint64_t data_size, const Digest& digest, const Params& params,
           std::shared_ptr<const ByteSource> stored, std::shared_ptr<HashCache> cache);

  const Geometry& geometry() const { return geometry_; }
  const crypto::BlockHasher& hasher() const { return hasher_; }

  /// Whether a file with this root hash has our digest.
  bool is_root(ByteSpan root) const;

  /// The verified hashes of the data blocks from index * hashes_per_block() on; for files of
  /// more than one data block. tampered if neither the stored tree nor the data leads to the
  /// digest; io if the data cannot be read.
  Result<Block> leaf(std::uint64_t index) { return block(0, index); }

  /// Computes the whole tree from the data and keeps what fits. tampered if it has another digest.
  Result<void> build();

  std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  /// One pass over data below some hash block.
  struct Pass {
    explicit Pass(HashCache& owner) : cache(owner) {}
    Pass(const Pass&) = delete;
    Pass& operator=(const Pass&) = delete;
    ~Pass() {
      cache.release(HashCache::Level::leaf, reserved_leaves);
      cache.release(HashCache::Level::upper, reserved_upper);
    }

    HashCache& cache;
    Bytes buffer;
    /// What was computed below that block, as far as there is memory for it; by level and tree
    /// index.
    std::vector<std::tuple<std::size_t, std::uint64_t, Block>> computed;
    std::size_t reserved_leaves = 0;  ///< bytes
    std::size_t reserved_upper = 0;   ///< bytes
  };

  static HashCache::Level cache_level(std::size_t level) {
    return level == 0 ? HashCache::Level::leaf : HashCache::Level::upper;
  }
  Block find(std::size_t level, std::uint64_t tree_index) {
    return cache_->find(digest_, cache_level(level), tree_index);
  }
  void keep(std::size_t level, std::uint64_t tree_index, Block block) {
    cache_->insert(digest_, cache_level(level), tree_index, std::move(block));
  }
  std::uint64_t index_in_tree(std::size_t level, std::uint64_t index) const {
    return geometry_.levels()[level].first_block + index;
  }
  Result<Block> block(std::size_t level, std::uint64_t index);
  Block load_stored(std::uint64_t tree_index) const;
  bool verifies(const Bytes& block, const Block& parent, std::uint64_t index) const;
  Result<Block> rebuild(std::size_t level, std::uint64_t index, const Block& parent);
  Result<Block> compute(std::size_t level, std::uint64_t index, Pass& pass) const;
  Result<void> hash_data(std::uint64_t first, std::uint64_t count, MutableByteSpan hashes,
                         Pass& pass) const;

  int data_fd_;
  Digest digest_;
  Params params_;
  Geometry geometry_;
  crypto::BlockHasher hasher_;
  std::shared_ptr<const ByteSource> stored_;
  std::shared_ptr<HashCache> cache_;
  std::atomic<std::uint64_t> refused_ = 0;
  std::mutex rebuilding_;  ///< held over a pass, so that readers do not all make the same one
  /// Tree indices of hash blocks that could not be obtained in either way: a pass over the data is
  /// not repeated for each read that fails. Guarded by rebuilding_.
  RecentNumbers lost_;
};

}  // namespace intact::fsverity
