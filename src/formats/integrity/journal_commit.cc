#include <algorithm>
#include <utility>

#include "journal_ring.h"

namespace intact::integrity {
namespace {

constexpr std::size_t kMaxRun = 1 << 20;  // bytes that one write puts in place

}  // namespace

/// Sections by their position in the ring. They do not move in memory until they are free.
std::vector<JournalRing::Section*> JournalRing::some_sections(std::size_t from, std::size_t to) {
  std::vector<Section*> some;
  for (std::size_t i = from; i < to; ++i) some.push_back(&sections_[i]);
  return some;
}

/// Sets the commit ids of these sections and writes them, the oldest first.
Result<void> JournalRing::write_sections(const std::vector<Section*>& batch) {
  for (Section* section : batch) {
    TRY(store_->write(section->index, *section->image, sequence_));
    set_digest(*section);
    if (section->index + 1 == store_->sections()) sequence_ = next(sequence_);
  }
  wrote_ = wrote_ || !batch.empty();
  const std::lock_guard lock(mutex_);
  for (Section* section : batch) may_go(*section);
  return {};
}

/// Their space in the journal is free and takes no more entries: a crash leaves the same as in the
/// middle of a commit.
Result<void> JournalRing::write_full() {
  const std::lock_guard committing(commit_mutex_);
  TRY(volume_.failure.check());
  std::vector<Section*> batch;
  {
    const std::shared_lock lock(mutex_);
    const std::size_t first = placed_ + committed_ + written_;
    batch = some_sections(first, first + full_sections_locked());
  }
  TRY(write_sections(batch));
  const std::lock_guard lock(mutex_);
  written_ += batch.size();
  return {};
}

Result<void> JournalRing::commit() {
  const std::lock_guard committing(commit_mutex_);
  return commit_locked();
}

Result<void> JournalRing::commit_locked() {
  TRY(volume_.failure.check());
  std::vector<Section*> batch;
  std::size_t uncommitted = 0;
  {
    const std::lock_guard lock(mutex_);
    const std::size_t first = placed_ + committed_;
    uncommitted = sections_.size() - first;
    batch = some_sections(first + written_, sections_.size());
    open_ = false;  // the rest of the last section is not used
    uncommitted_since_.reset();
  }
  if (uncommitted == 0) return {};
  TRY(write_sections(batch));
  if (const std::size_t placed = placed_sections(); placed > 0)
    TRY(reclaim_locked(placed));
  else
    TRY(volume_.meta.flush());
  commits_.fetch_add(1, std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  committed_ += uncommitted;
  written_ = 0;
  return {};
}

Result<void> JournalRing::write_back() {
  const std::lock_guard writing_back(write_back_mutex_);
  return write_back_locked();
}

Result<void> JournalRing::write_back_locked() {
  TRY(volume_.failure.check());
  std::size_t left = 0;
  {
    const std::shared_lock lock(mutex_);
    left = committed_;
  }
  while (left > 0) {
    const std::size_t count = is_bounded_ ? std::min(left, max_images_ / 2) : left;
    std::vector<Section*> batch;
    {
      const std::shared_lock lock(mutex_);
      batch = some_sections(placed_, placed_ + count);
    }
    TRY(volume_.failure.keep(put_in_place(batch).context("writing back")));
    const std::lock_guard lock(mutex_);
    placed_ += count;
    committed_ -= count;
    left -= count;
  }
  return {};
}

Result<void> JournalRing::reclaim() {
  const std::lock_guard committing(commit_mutex_);
  return reclaim_locked(placed_sections());
}

std::size_t JournalRing::placed_sections() const {
  const std::shared_lock lock(mutex_);
  return placed_;
}

/// Makes only the first `placed` sections free: the others were not in place before the flush.
Result<void> JournalRing::reclaim_locked(std::size_t placed) {
  if (placed == 0) return {};
  TRY(volume_.flush_in_place());
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < placed; ++i) {
    drop_image(sections_.front());
    sections_.pop_front();
  }
  drop_surplus();
  placed_ -= placed;
  return {};
}

/// The last entry of each block in these sections, by block.
std::vector<JournalRing::Placement> JournalRing::newest_entries(
    const std::vector<Pinned>& sections) const {
  std::vector<Placement> entries;
  for (const auto& [section, image] : sections) {
    for (std::uint32_t n = 0; n < section->filled; ++n) {
      if (!image->used(n)) continue;
      const std::uint64_t sector = image->sector(n);
      if (sector < volume_.layout.provided_data_sectors())
        entries.push_back({volume_.block_of(sector), entries.size(), {section, n}, image.get()});
    }
  }
  const auto key = [](const Placement& entry) { return std::pair(entry.block, entry.age); };
  std::ranges::sort(entries, {}, key);
  // Of entries for the same block the last one stays.
  const auto end = std::unique(entries.rbegin(), entries.rend(),
                               [](const auto& a, const auto& b) { return a.block == b.block; });
  entries.erase(entries.begin(), end.base());
  return entries;
}

Result<void> JournalRing::put_in_place(const std::vector<Section*>& batch) {
  const auto pinned = TRY(pin(batch));
  const auto entries = newest_entries(pinned);
  const std::size_t block_size = volume_.layout.block_size(), tag_size = volume_.layout.tag_size();
  Bytes blocks, tags;
  for (std::size_t i = 0; i < entries.size();) {
    const std::uint64_t first = entries[i].block;
    const std::uint64_t limit = std::min<std::uint64_t>(
        kMaxRun / block_size,
        volume_.block_of(volume_.layout.contiguous_sectors(volume_.sector_of(first))));
    std::size_t n = 1;
    while (n < limit && i + n < entries.size() && entries[i + n].block == first + n) ++n;
    blocks.resize(n * block_size);
    tags.resize(n * tag_size);
    for (std::size_t k = 0; k < n; ++k) {
      const SectionImage& image = *entries[i + k].image;
      const std::uint32_t entry = entries[i + k].place.entry;
      image.copy_block(entry, MutableByteSpan(blocks).subspan(k * block_size, block_size));
      std::ranges::copy(image.tag(entry), tags.begin() + static_cast<std::ptrdiff_t>(k * tag_size));
    }
    TRY(volume_.write_in_place(first, blocks, tags));
    forget(&entries[i], n);
    i += n;
  }
  return {};
}

/// These entries are in place: readers find them there, unless there are newer ones.
void JournalRing::forget(const Placement* first, std::size_t count) {
  const std::lock_guard lock(mutex_);
  for (std::size_t k = 0; k < count; ++k) {
    const auto newest = newest_.find(first[k].block);
    if (newest != newest_.end() && newest->second.section == first[k].place.section &&
        newest->second.entry == first[k].place.entry)
      newest_.erase(newest);
  }
  has_entries_ = !newest_.empty();
}

Result<void> JournalRing::erase(std::uint32_t first, Sequence sequence) {
  const std::uint32_t sections = store_->sections();
  const std::uint32_t last = (first + sections - 1) % sections;
  TRY(store_->initialize(first, 1, sequence));
  for (std::uint32_t i = 0; i < sections; ++i)
    if (i != first && i != last) TRY(store_->initialize(i, 1, sequence));
  if (last != first) TRY(store_->initialize(last, 1, sequence));
  go_on(0, next(sequence));
  const std::lock_guard committing(commit_mutex_);
  wrote_ = false;
  return {};
}

Result<void> JournalRing::close() {
  const std::scoped_lock alone(write_back_mutex_, commit_mutex_);
  TRY(commit_locked());
  TRY(write_back_locked());
  TRY(reclaim_locked(placed_sections()));
  if (!wrote_) return {};
  std::uint32_t free_section = 0;
  {
    const std::lock_guard lock(mutex_);
    free_section = next_section_;
  }
  TRY(store_->initialize(free_section, store_->sections() - free_section, sequence_));
  TRY(store_->initialize(0, free_section, next(sequence_)));
  wrote_ = false;
  return {};
}

}  // namespace intact::integrity
