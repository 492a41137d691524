#include "tag_store.h"

#include <algorithm>
#include <bit>

#include <intact/base/checked.h>

namespace intact::integrity {

TagStore::TagStore(const Layout& layout, MetaIo& meta, std::size_t cache_size, Writes writes)
    : layout_(layout),
      meta_(meta),
      writes_(writes),
      unit_(std::max<std::uint64_t>(kSectorSize, meta.block_size())),
      sets_(std::max<std::size_t>(1, cache_size / kPageSize / kWays)) {}

/// The page in the cache, if it is there; the set must be locked.
TagStore::Page* TagStore::find(Set& set, std::uint64_t page) {
  const auto found = std::ranges::find(set.pages, page, &Page::number);
  return found == set.pages.end() ? nullptr : &*found;
}

/// The page in the cache; the set must be locked.
Result<TagStore::Page*> TagStore::load(Set& set, std::uint64_t page) {
  if (Page* const cached = find(set, page)) {
    cached->used = ++set.clock;
    return cached;
  }
  Page& victim = *std::ranges::min_element(set.pages, {}, &Page::used);
  if (victim.dirty != 0) {
    TRY(clean(victim));
    const std::lock_guard lock(waiting_mutex_);
    waiting_.erase(victim.number);
  }
  if (!victim.bytes) victim.bytes = std::make_unique<std::array<std::byte, kPageSize>>();
  victim.number = kNone;
  const std::uint64_t at = page * kPageSize;
  const MutableByteSpan bytes(*victim.bytes);
  TRY(meta_.read(at, bytes.first(std::min<std::uint64_t>(kPageSize, meta_.size() - at))));
  victim.number = page;
  victim.used = ++set.clock;
  return &victim;
}

/// Writes the runs of dirty sectors only: there may be data between them. The set must be locked.
Result<void> TagStore::clean(Page& page) {
  while (page.dirty != 0) {
    const int first = std::countr_zero(page.dirty);
    const int count = std::countr_one(static_cast<std::uint8_t>(page.dirty >> first));
    const std::size_t at = static_cast<std::size_t>(first) * kSectorSize;
    const std::uint64_t byte = page.number * kPageSize + at;
    const std::size_t size =
        std::min<std::uint64_t>(static_cast<std::size_t>(count) * kSectorSize, meta_.size() - byte);
    TRY(meta_.write(byte, ByteSpan(*page.bytes).subspan(at, size)));
    page.dirty = static_cast<std::uint8_t>(page.dirty & (page.dirty + (1U << first)));
  }
  return {};
}

/// Calls `use(page, offset within it, tags' offset, count)` for each page that contains some of
/// `size` bytes of tags, in order, with the page locked.
template <typename Use>
Result<void> TagStore::for_each_page(std::uint64_t block, std::size_t size, Use use) {
  const std::uint64_t byte = layout_.tag_byte(block);
  TRY(block::check_range(meta_.size(), byte, size));
  for (std::size_t done = 0; done < size;) {
    const std::uint64_t page = (byte + done) / kPageSize, within = (byte + done) % kPageSize;
    const std::size_t count = std::min<std::size_t>(size - done, kPageSize - within);
    Set& set = set_of(page);
    const std::lock_guard lock(set.mutex);
    TRY(use(*TRY(load(set, page)), within, done, count));
    done += count;
  }
  return {};
}

Result<void> TagStore::read(std::uint64_t block, MutableByteSpan tags) {
  return for_each_page(block, tags.size(),
                       [tags](const Page& page, std::uint64_t within, std::size_t done,
                              std::size_t count) -> Result<void> {
                         std::copy_n(page.bytes->data() + within, count, tags.data() + done);
                         return {};
                       });
}

Result<void> TagStore::write(std::uint64_t block, ByteSpan tags) {
  return for_each_page(block, tags.size(),
                       [this, tags](Page& page, std::uint64_t within, std::size_t done,
                                    std::size_t count) -> Result<void> {
                         std::copy_n(tags.data() + done, count, page.bytes->data() + within);
                         const bool was_clean = page.dirty == 0;
                         page.dirty |= sectors(within, count);
                         if (writes_ == Writes::at_once) return clean(page);
                         if (was_clean) {
                           const std::lock_guard lock(waiting_mutex_);
                           waiting_.insert(page.number);
                         }
                         return {};
                       });
}

/// The bits of the sectors, in whole units, that contain `count` bytes of a page.
std::uint8_t TagStore::sectors(std::uint64_t within, std::size_t count) const {
  const std::uint64_t first = within / unit_ * unit_ / kSectorSize;
  const std::uint64_t end = align_up(within + count, unit_) / kSectorSize;
  return static_cast<std::uint8_t>((1U << end) - (1U << first));
}

Result<void> TagStore::write_back() {
  const std::lock_guard writing(write_back_mutex_);
  std::set<std::uint64_t> pages;
  {
    const std::lock_guard lock(waiting_mutex_);
    pages.swap(waiting_);
  }
  for (const std::uint64_t number : pages) {
    Set& set = set_of(number);
    const std::lock_guard lock(set.mutex);
    if (Page* const page = find(set, number)) TRY(clean(*page));
  }
  return {};
}

}  // namespace intact::integrity
