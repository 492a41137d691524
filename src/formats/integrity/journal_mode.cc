#include "write_mode.h"

namespace intact::integrity {
namespace {

/// Mode J: everything goes through the journal.
class JournalMode final : public WriteMode {
 public:
  JournalMode(Volume& volume, JournalRing& ring, Waker waker)
      : volume_(volume), ring_(ring), waker_(std::move(waker)) {}

  Result<void> write(std::uint64_t block, ByteSpan blocks, ByteSpan tags) override {
    const bool first = !ring_.uncommitted_since();
    while (!blocks.empty()) {
      TRY(volume_.failure.check());
      const std::uint64_t taken = ring_.insert(block, blocks, tags);
      // The background thread was too slow, or there is none.
      if (taken == 0) TRY(ring_.free_entries() > 0 ? ring_.write_full() : make_room());
      block += taken;
      blocks = blocks.subspan(taken * volume_.layout.block_size());
      if (!tags.empty()) tags = tags.subspan(taken * volume_.layout.tag_size());
    }
    const bool above = ring_.above_watermark();
    if (waker_ && (first || above || ring_.has_full())) waker_();
    if (waker_) return {};
    return above ? make_room() : ring_.write_full();
  }

  Result<void> write_zeros(std::uint64_t block, ByteSpan zeros, ByteSpan tags) override {
    return write(block, zeros, tags);
  }
  Result<void> flush() override { return ring_.commit(); }

  Result<void> mark_discarded(std::uint64_t block, std::uint64_t blocks) override {
    // No block that is still in memory may be written over the marks.
    TRY(make_room());
    TRY(volume_.fill_tags(block, blocks));
    return volume_.flush_tags();
  }

  Result<void> close() override { return ring_.close(); }

  std::optional<Time> due() const override {
    const auto since = ring_.uncommitted_since();
    if (ring_.above_watermark() || ring_.has_full()) return Time{};
    if (!since) return std::nullopt;
    return *since + std::chrono::milliseconds(volume_.params.commit_time);
  }

  Result<void> work() override {
    if (ring_.has_full()) return ring_.write_full();
    if (!ring_.above_watermark()) return ring_.commit();
    // Already committed blocks go first: they do not delay flushes by the writers.
    if (ring_.has_committed()) return ring_.write_back();
    return make_room();
  }

 private:
  Result<void> make_room() {
    TRY(ring_.commit());
    TRY(ring_.write_back());
    if (ring_.free_entries() > 0) return {};
    return ring_.reclaim();
  }

  Volume& volume_;
  JournalRing& ring_;
  Waker waker_;
};

}  // namespace

std::unique_ptr<WriteMode> make_journal_mode(Volume& volume, JournalRing& ring, Waker waker) {
  return std::make_unique<JournalMode>(volume, ring, std::move(waker));
}

}  // namespace intact::integrity
