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
              std::function<void(const Mismatch&)> on_mismatch)
      : volume_(volume),
        ring_(ring),
        recalculation_(recalculation),
        on_mismatch_(std::move(on_mismatch)) {}

  /// Reads whole blocks; `tags`, unless empty, receives their stored tags. Error tampered if blocks
  /// fail their tags, after all of them have been reported.
  Result<void> read(std::uint64_t block, MutableByteSpan out, MutableByteSpan tags);

  bool checks() const { return recalculation_ != nullptr; }
  std::uint64_t mismatches() const { return mismatches_.load(std::memory_order_relaxed); }

 private:
  void add_bad(std::uint64_t block, std::vector<Mismatch>& bad) const;
  Result<void> read_places(std::uint64_t block, MutableByteSpan out, MutableByteSpan tags,
                           std::vector<Mismatch>& bad);
  void compare(std::uint64_t block, MutableByteSpan blocks, ByteSpan tags,
               std::vector<Mismatch>& bad);
  void compare_valid(std::uint64_t block, MutableByteSpan blocks, ByteSpan tags,
                     std::vector<Mismatch>& bad);
  void find_bad(std::uint64_t block, MutableByteSpan blocks, ByteSpan computed, ByteSpan tags,
                std::vector<Mismatch>& bad) const;
  Error refuse(const std::vector<Mismatch>& bad);

  Volume& volume_;
  JournalRing* ring_;
  const Recalculation* recalculation_;
  std::function<void(const Mismatch&)> on_mismatch_;
  std::atomic<std::uint64_t> mismatches_ = 0;
};

}  // namespace intact::integrity
