#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

#include "journal_ring.h"
#include "recalculation.h"
#include "scratch.h"
#include "volume.h"

namespace intact::integrity {

/// Reads blocks from the journal or from their places and checks them. Thread-safe.
class BlockReader {
 public:
  /// `ring` may be null: no journal. `recalculation` null: nothing is checked.
  BlockReader(Volume& volume, JournalRing* ring, const Recalculation* recalculation,
              std::function<void(const Mismatch&)> on_mismatch,
              std::function<void(const Mismatch&)> on_discarded)
      : volume_(volume),
        ring_(ring),
        recalculation_(recalculation),
        on_mismatch_(std::move(on_mismatch)),
        on_discarded_(std::move(on_discarded)) {}

  /// Reads whole blocks; `tags`, unless empty, receives their stored tags. Error tampered if blocks
  /// fail their tags, after all of them have been reported.
  Result<void> read(std::uint64_t block, MutableByteSpan out, MutableByteSpan tags);

  std::uint64_t mismatches() const { return mismatches_.load(std::memory_order_relaxed); }

 private:
  /// What a read has met that has no good tag.
  struct Met {
    std::vector<Mismatch> bad;
    std::vector<Mismatch> discarded;
  };
  void add(std::uint64_t block, std::vector<Mismatch>& list) const;
  Result<void> read_places(std::uint64_t block, MutableByteSpan out, MutableByteSpan tags,
                           Met& met);
  void compare(std::uint64_t block, MutableByteSpan blocks, ByteSpan tags, Met& met);
  void compare_valid(std::uint64_t block, MutableByteSpan blocks, ByteSpan tags, Met& met);
  void find_bad(std::uint64_t block, MutableByteSpan blocks, ByteSpan computed, ByteSpan tags,
                Met& met) const;
  Error refuse(const std::vector<Mismatch>& bad);

  Volume& volume_;
  JournalRing* ring_;
  const Recalculation* recalculation_;
  std::function<void(const Mismatch&)> on_mismatch_;
  std::function<void(const Mismatch&)> on_discarded_;
  std::atomic<std::uint64_t> mismatches_ = 0;
};

}  // namespace intact::integrity
