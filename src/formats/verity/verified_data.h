#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <intact/verity/verity_target.h>

#include "hash_tree.h"

namespace intact::verity {

/// A data block that is not what the tree says, or that cannot be read.
struct BadBlock {
  std::uint64_t block;
  std::string reason;
};

/// Reads runs of data blocks and checks them. Thread-safe.
class VerifiedData {
 public:
  VerifiedData(std::shared_ptr<const ByteSource> data, const HashTree& tree,
               const VerityTarget::Options& options);

  /// Blocks that one call can take from block `first` on, before block `end`: they share a hash
  /// block, and no more than is good for the processor's cache.
  std::uint64_t run_length(std::uint64_t first, std::uint64_t end) const;

  /// Reads blocks from `first` on into `content` (a run of whole blocks) and lists those that are
  /// bad; their content is left as read (zeros if unreadable). Fails as HashTree::block does.
  Result<std::vector<BadBlock>> read_run(std::uint64_t first, MutableByteSpan content);

  bool skips_zeros() const { return !zero_digest_.empty(); }
  /// How many blocks from `first` on, before `end`, are alike: read as zeros without a look at the
  /// data (true), or not (false). They share a hash block. Only if skips_zeros(). Fails as
  /// HashTree::block does.
  Result<std::pair<std::uint64_t, bool>> zero_run(std::uint64_t first, std::uint64_t end) const;

  /// Without checking: what a device that ignores corruption gives.
  Result<void> read_raw(std::uint64_t first, MutableByteSpan content) const;

  std::uint64_t verified() const { return verified_.load(std::memory_order_relaxed); }

 private:
  Result<HashTree::Block> leaf_of(std::uint64_t block) const;
  ByteSpan expected_in(const HashTree::Block& leaf, std::uint64_t block) const;
  bool known_good(std::uint64_t first, std::uint64_t count) const;
  void remember_good(std::uint64_t block);

  std::shared_ptr<const ByteSource> data_;
  const HashTree& tree_;
  Bytes zero_digest_;                             ///< empty unless zero blocks are not to be read
  std::vector<std::atomic<std::uint64_t>> good_;  ///< a bit a block, empty if each read checks
  std::atomic<std::uint64_t> verified_ = 0;
};

}  // namespace intact::verity
