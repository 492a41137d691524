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

/// Calls `use(page's number, its bytes, offset within it, tags' offset, count)` for each page in
/// which some of `size` bytes of tags lie, in order, with the page locked.
template <typename Use>
Result<void> TagStore::for_each_page(std::uint64_t block, std::size_t size, Use use) {
  const std::uint64_t byte = layout_.tag_byte(block);
  TRY(block::check_range(meta_.size(), byte, size));
  for (std::size_t done = 0; done < size;) {
    const std::uint64_t page = (byte + done) / kPageSize, within = (byte + done) % kPageSize;
    const std::size_t count = std::min<std::size_t>(size - done, kPageSize - within);
    Set& set = set_of(page);
    const std::lock_guard lock(set.mutex);
    TRY(use(page, TRY(load(set, page)), within, done, count));
    done += count;
  }
  return {};
}

Result<void> TagStore::read(std::uint64_t block, MutableByteSpan tags) {
  return for_each_page(block, tags.size(),
                       [tags](std::uint64_t, ByteSpan cached, std::uint64_t within,
                              std::size_t done, std::size_t count) -> Result<void> {
                         std::ranges::copy(cached.subspan(within, count),
                                           tags.subspan(done).begin());
                         return {};
                       });
}

Result<void> TagStore::write(std::uint64_t block, ByteSpan tags) {
  return for_each_page(
      block, tags.size(),
      [this, tags](std::uint64_t page, MutableByteSpan cached, std::uint64_t within,
                   std::size_t done, std::size_t count) -> Result<void> {
        std::ranges::copy(tags.subspan(done, count), cached.subspan(within).begin());
        const std::uint64_t first = within / unit_ * unit_;
        const std::uint64_t end =
            std::min(align_up(within + count, unit_), meta_.size() - page * kPageSize);
        return meta_.write(page * kPageSize + first, cached.subspan(first, end - first));
      });
}

}  // namespace intact::integrity
