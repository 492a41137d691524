#include "tag_store.h"

#include <algorithm>

#include <intact/base/checked.h>

namespace intact::integrity {

TagStore::TagStore(const Layout& layout, MetaIo& meta, std::size_t cache_size)
    : layout_(layout),
      meta_(meta),
      unit_(std::max<std::uint64_t>(kSectorSize, meta.block_size())),
      sets_(std::max<std::size_t>(1, cache_size / kPageSize / kWays)) {}

/// The page in the cache; the set must be locked.
Result<MutableByteSpan> TagStore::load(Set& set, std::uint64_t page) {
  Page* victim = &set.pages[0];
  for (Page& candidate : set.pages) {
    if (candidate.number == page) {
      candidate.used = ++set.clock;
      return MutableByteSpan(*candidate.bytes);
    }
    if (candidate.used < victim->used) victim = &candidate;
  }
  if (!victim->bytes) victim->bytes = std::make_unique<std::array<std::byte, kPageSize>>();
  victim->number = kNone;
  const std::uint64_t at = page * kPageSize;
  const MutableByteSpan bytes(*victim->bytes);
  TRY(meta_.read(at, bytes.first(std::min<std::uint64_t>(kPageSize, meta_.size() - at))));
  victim->number = page;
  victim->used = ++set.clock;
  return bytes;
}

Result<void> TagStore::read(std::uint64_t block, MutableByteSpan tags) {
  std::uint64_t byte = layout_.tag_byte(block);
  TRY(block::check_range(meta_.size(), byte, tags.size()));
  while (!tags.empty()) {
    const std::uint64_t page = byte / kPageSize, within = byte % kPageSize;
    const std::size_t count = std::min<std::size_t>(tags.size(), kPageSize - within);
    Set& set = set_of(page);
    const std::lock_guard lock(set.mutex);
    const ByteSpan cached = TRY(load(set, page));
    std::ranges::copy(cached.subspan(within, count), tags.begin());
    tags = tags.subspan(count);
    byte += count;
  }
  return {};
}

Result<void> TagStore::write(std::uint64_t block, ByteSpan tags) {
  std::uint64_t byte = layout_.tag_byte(block);
  TRY(block::check_range(meta_.size(), byte, tags.size()));
  while (!tags.empty()) {
    const std::uint64_t page = byte / kPageSize, within = byte % kPageSize;
    const std::size_t count = std::min<std::size_t>(tags.size(), kPageSize - within);
    Set& set = set_of(page);
    const std::lock_guard lock(set.mutex);
    const MutableByteSpan cached = TRY(load(set, page));
    std::ranges::copy(tags.first(count), cached.subspan(within).begin());
    const std::uint64_t first = within / unit_ * unit_;
    const std::uint64_t end =
        std::min(align_up(within + count, unit_), meta_.size() - page * kPageSize);
    TRY(meta_.write(page * kPageSize + first, cached.subspan(first, end - first)));
    tags = tags.subspan(count);
    byte += count;
  }
  return {};
}

}  // namespace intact::integrity
