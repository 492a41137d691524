#include "journal_ring.h"

#include <algorithm>

namespace intact::integrity {
namespace {

constexpr std::size_t kFewestImages = 4;

}  // namespace

JournalRing::JournalRing(Volume& volume, std::unique_ptr<JournalStore> store, std::size_t memory)
    : volume_(volume),
      store_(std::move(store)),
      section_entries_(volume.layout.section().entries),
      max_images_(std::max<std::size_t>(
          kFewestImages, memory / (std::size_t{volume.layout.section().sectors} * kSectorSize))),
      is_bounded_(store_->sections() > max_images_) {
  const std::uint64_t entries = section_entries_ * store_->sections();
  threshold_ = (entries * (100 - volume.params.journal_watermark) + 50) / 100;
}

void JournalRing::adopt(std::uint32_t section, SectionImage image) {
  const std::lock_guard lock(mutex_);
  sections_.push_back({.index = section,
                       .number = next_number_++,
                       .image = std::make_shared<SectionImage>(std::move(image)),
                       .filled = static_cast<std::uint32_t>(section_entries_)});
  ++images_;
  Section& adopted = sections_.back();
  for (std::uint32_t n = 0; n < section_entries_; ++n) {
    if (!adopted.image->used(n)) continue;
    const std::uint64_t sector = adopted.image->sector(n);
    if (sector < volume_.layout.provided_data_sectors())
      newest_[volume_.block_of(sector)] = {&adopted, n};
  }
  set_digest(adopted);
  may_go(adopted);
  drop_surplus();
  ++committed_;
  wrote_ = true;
  has_entries_ = !newest_.empty();
}

bool JournalRing::holds(std::uint64_t block) const {
  const std::shared_lock lock(mutex_);
  return newest_.contains(block);
}

void JournalRing::go_on(std::uint32_t section, Sequence sequence) {
  const std::scoped_lock lock(commit_mutex_, mutex_);
  next_section_ = section;
  sequence_ = sequence;
}

JournalRing::Section* JournalRing::section_with_room() {
  if (open_ && sections_.back().filled < section_entries_) return &sections_.back();
  if (sections_.size() == store_->sections()) return nullptr;
  Image image = free_image();
  if (!image) return nullptr;
  sections_.push_back(
      {.index = next_section_, .number = next_number_++, .image = std::move(image), .filled = 0});
  ++images_;
  next_section_ = (next_section_ + 1) % store_->sections();
  open_ = true;
  return &sections_.back();
}

std::uint64_t JournalRing::insert(std::uint64_t block, ByteSpan blocks, ByteSpan tags) {
  const std::size_t block_size = volume_.layout.block_size(), tag_size = volume_.layout.tag_size();
  const std::uint64_t count = blocks.size() / block_size;
  const Bytes zeros(tags.empty() ? tag_size : 0);
  const std::lock_guard lock(mutex_);
  auto hint = newest_.lower_bound(block);
  std::uint64_t done = 0;
  for (; done < count; ++done) {
    Section* const section = section_with_room();
    if (section == nullptr) break;
    section->image->set(section->filled, volume_.sector_of(block + done),
                        blocks.subspan(done * block_size, block_size),
                        tags.empty() ? ByteSpan(zeros) : tags.subspan(done * tag_size, tag_size));
    hint = newest_.insert_or_assign(hint, block + done, Place{section, section->filled});
    ++hint;
    ++section->filled;
  }
  if (done > 0) {
    has_entries_ = true;
    if (!uncommitted_since_) uncommitted_since_ = std::chrono::steady_clock::now();
  }
  return done;
}

/// The leading blocks whose newest entries are in memory; mutex_ is held.
std::uint64_t JournalRing::copy_entries(std::uint64_t block, MutableByteSpan out,
                                        MutableByteSpan tags) const {
  const std::size_t block_size = volume_.layout.block_size(), tag_size = volume_.layout.tag_size();
  const std::uint64_t count = out.size() / block_size;
  std::uint64_t done = 0;
  for (auto next = newest_.find(block);
       done < count && next != newest_.end() && next->first == block + done; ++done, ++next) {
    const auto& [section, entry] = next->second;
    if (!section->image) break;
    section->image->copy_block(entry, out.subspan(done * block_size, block_size));
    if (!tags.empty())
      std::ranges::copy(section->image->tag(entry), tags.subspan(done * tag_size).begin());
  }
  return done;
}

Result<JournalRing::Run> JournalRing::copy(std::uint64_t block, MutableByteSpan out,
                                           MutableByteSpan tags) {
  using Kind = Run::Kind;
  const std::uint64_t count = out.size() / volume_.layout.block_size();
  while (has_entries_.load(std::memory_order_acquire)) {
    std::uint64_t number = 0;
    std::uint32_t index = 0;
    std::optional<Digest> digest;
    {
      const std::shared_lock lock(mutex_);
      const auto next = newest_.lower_bound(block);
      if (next == newest_.end()) break;
      if (next->first != block) return Run{std::min(count, next->first - block), Kind::in_place};
      if (const std::uint64_t done = copy_entries(block, out, tags); done > 0)
        return Run{done, Kind::journaled};
      const Section& section = *next->second.section;
      number = section.number;
      index = section.index;
      digest = section.digest;
    }
    Image image = TRY(read_again(index));
    const bool is_same = digest == crypto::sha256(image->bytes());
    const std::lock_guard lock(mutex_);
    const auto newest = newest_.find(block);
    // It may have been put in place and freed, or replaced, meanwhile.
    if (newest == newest_.end() || newest->second.section->number != number) continue;
    if (!is_same) return Run{1, Kind::changed};
    Section& section = *newest->second.section;
    if (!section.image) {
      section.image = std::move(image);
      ++images_;
      may_go(section);
    }
    const std::uint64_t done = copy_entries(block, out, tags);
    drop_surplus();
    return Run{done, Kind::journaled};
  }
  return Run{count, Kind::in_place};
}

bool JournalRing::above_watermark() const {
  const std::shared_lock lock(mutex_);
  return free_entries_locked() + placed_ * section_entries_ <= threshold_;
}

std::size_t JournalRing::full_sections_locked() const {
  const bool last_has_room = open_ && sections_.back().filled < section_entries_;
  return sections_.size() - placed_ - committed_ - written_ - (last_has_room ? 1 : 0);
}

bool JournalRing::has_full() const {
  const std::shared_lock lock(mutex_);
  return full_sections_locked() > 0;
}

bool JournalRing::has_committed() const {
  const std::shared_lock lock(mutex_);
  return committed_ > 0;
}

std::uint64_t JournalRing::free_entries() const {
  const std::shared_lock lock(mutex_);
  return free_entries_locked();
}

std::uint64_t JournalRing::free_entries_locked() const {
  const std::uint64_t left = open_ ? section_entries_ - sections_.back().filled : 0;
  return (store_->sections() - sections_.size()) * section_entries_ + left;
}

std::optional<std::chrono::steady_clock::time_point> JournalRing::uncommitted_since() const {
  const std::shared_lock lock(mutex_);
  return uncommitted_since_;
}

}  // namespace intact::integrity
