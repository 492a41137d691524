#include <algorithm>
#include <mutex>
#include <shared_mutex>

#include "write_mode.h"

namespace intact::integrity {
namespace {

/// How many regions are marked beyond those that a write touches. A mark costs a flush, which waits
/// for all data on their way; for sequential writes one flush serves several regions. Their number
/// doubles with each mark that begins where the last one ended, so the regions that are marked but
/// not written are never more than those that the sequence has written, and never more than kMax.
class MarkAhead {
 public:
  static constexpr std::uint64_t kMax = 16;

  /// The last region to mark when `first` to `last`, not all of which are marked, are about to be.
  std::uint64_t extend(std::uint64_t first, std::uint64_t last, std::uint64_t regions) {
    const bool in_order = first <= next_ && next_ <= last;
    count_ = in_order ? std::clamp<std::uint64_t>(2 * count_, 1, kMax) : 0;
    const std::uint64_t end = std::min(last + count_, regions - 1);
    next_ = end + 1;
    return end;
  }

 private:
  std::uint64_t next_ = ~std::uint64_t{0};  // the region after the last mark
  std::uint64_t count_ = 0;
};

/// Mode B: data and tags in place, after the bitmap on disk says that they may differ.
class BitmapMode final : public WriteMode {
 public:
  BitmapMode(Volume& volume, JournalStore& journal, const Recalculation& recalculation,
             RegionMap dirty, Waker waker)
      : volume_(volume),
        journal_(journal),
        recalculation_(recalculation),
        dirty_(std::move(dirty)),
        waker_(std::move(waker)) {
    if (!dirty_.empty()) dirty_since_ = std::chrono::steady_clock::now();
  }

  Result<void> write(std::uint64_t block, ByteSpan blocks, ByteSpan tags) override {
    const std::shared_lock gate(gate_);
    TRY(mark(block, volume_.block_of(volume_.sectors_in(blocks))));
    return volume_.write_places(block, blocks, tags);
  }

  Result<void> write_zeros(std::uint64_t block, ByteSpan zeros, ByteSpan tags) override {
    const std::shared_lock gate(gate_);
    const std::uint64_t blocks = volume_.block_of(volume_.sectors_in(zeros));
    TRY(mark(block, blocks));
    return volume_.zero_places(block, blocks, tags);
  }
  Result<void> flush() override { return volume_.flush_in_place(); }

  Result<void> mark_discarded(std::uint64_t block, std::uint64_t blocks) override {
    const std::shared_lock gate(gate_);
    TRY(mark(block, blocks));
    TRY(volume_.fill_tags(block, blocks));
    return volume_.flush_tags();
  }

  Result<void> close() override {
    const std::lock_guard gate(gate_);
    TRY(volume_.flush_in_place());
    // The recalculation continues from the sector in the superblock: the bitmap is not needed.
    TRY(journal_.initialize(0, journal_.sections(), 0));
    volume_.superblock->change(
        [](Superblock& superblock) { superblock.set(Superblock::dirty_bitmap, false); });
    return volume_.superblock->save(volume_.meta);
  }

  std::optional<Time> due() const override {
    const std::lock_guard lock(mutex_);
    if (!dirty_since_) {
      // Left from the last time the device was open, since their tags were not valid.
      if (stale_left_ && recalculation_.done()) return Time{};
      return std::nullopt;
    }
    return *dirty_since_ + std::chrono::milliseconds(volume_.params.bitmap_flush_interval);
  }

  /// Makes everything in place durable; then only stale regions are dirty.
  Result<void> work() override {
    const std::lock_guard gate(gate_);
    // The flush may not cover what is recalculated from here on.
    const auto stale = recalculation_.stale();
    TRY(volume_.flush_in_place());
    const std::lock_guard lock(mutex_);
    RegionMap clean = stale ? *stale : RegionMap(volume_.layout, dirty_.log2_sectors());
    for (std::uint64_t i = 0; i < clean.blocks(); ++i)
      if (!equal(clean.block(i), dirty_.block(i)))
        TRY(clean.write(volume_.layout, volume_.meta, i, 1));
    dirty_ = std::move(clean);
    dirty_since_.reset();
    stale_left_ = !dirty_.empty();
    return {};
  }

  std::uint64_t dirty_regions() const {
    const std::lock_guard lock(mutex_);
    return dirty_.count();
  }

 private:
  /// The bits of these blocks are on disk when this returns.
  Result<void> mark(std::uint64_t block, std::uint64_t blocks) {
    const std::uint64_t first = dirty_.region_of(volume_.sector_of(block));
    std::uint64_t last = dirty_.region_of(volume_.sector_of(block + blocks) - 1);
    const std::lock_guard lock(mutex_);
    if (dirty_.all_set(first, last)) return {};
    last = ahead_.extend(first, last, dirty_.regions());
    dirty_.set(first, last);
    const std::uint64_t first_block = RegionMap::block_of(first);
    TRY(dirty_.write(volume_.layout, volume_.meta, first_block,
                     RegionMap::block_of(last) - first_block + 1));
    TRY(volume_.meta.flush());
    if (!dirty_since_) {
      dirty_since_ = std::chrono::steady_clock::now();
      if (waker_) waker_();
    }
    return {};
  }

  Volume& volume_;
  JournalStore& journal_;
  const Recalculation& recalculation_;
  std::shared_mutex gate_;  // shared: a write is under way; exclusive: bits are being cleared
  mutable std::mutex mutex_;
  RegionMap dirty_;
  MarkAhead ahead_;
  std::optional<Time> dirty_since_;
  bool stale_left_ = false;
  Waker waker_;
};

}  // namespace

std::unique_ptr<WriteMode> make_bitmap_mode(Volume& volume, JournalStore& journal,
                                            const Recalculation& recalculation, RegionMap dirty,
                                            Waker waker) {
  return std::make_unique<BitmapMode>(volume, journal, recalculation, std::move(dirty),
                                      std::move(waker));
}

std::uint64_t dirty_regions(const WriteMode& mode) {
  const auto* const bitmap = dynamic_cast<const BitmapMode*>(&mode);
  return bitmap ? bitmap->dirty_regions() : 0;
}

}  // namespace intact::integrity
