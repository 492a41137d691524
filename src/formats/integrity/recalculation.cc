#include "recalculation.h"

#include <algorithm>

namespace intact::integrity {
namespace {

constexpr std::uint64_t kStepSectors = 2048;
constexpr std::uint64_t kSaveSectors = 16 * 32768;

std::uint64_t first_invalid(const Volume& volume) {
  const Superblock superblock = volume.superblock->get();
  const std::uint64_t end = volume.layout.provided_data_sectors();
  if (!superblock.has(Superblock::recalculating)) return end;
  return std::min(superblock.recalc_sector, end);
}

}  // namespace

Recalculation::Recalculation(Volume& volume, std::optional<RegionMap> stale)
    : volume_(volume), saved_(first_invalid(volume)), position_(saved_), stale_(std::move(stale)) {
  note_validity();
}

/// mutex_ is held, or no other thread knows the object yet.
void Recalculation::note_validity() {
  all_valid_.store(stale_ ? stale_->empty() : position_ >= volume_.layout.provided_data_sectors(),
                   std::memory_order_release);
}

bool Recalculation::done() const {
  return position() >= volume_.layout.provided_data_sectors();
}

std::uint64_t Recalculation::position() const {
  const std::shared_lock lock(mutex_);
  return position_;
}

std::optional<RegionMap> Recalculation::stale() const {
  const std::shared_lock lock(mutex_);
  return stale_;
}

std::uint64_t Recalculation::run(std::uint64_t sector, std::uint64_t sectors, bool& valid) const {
  if (all_valid_.load(std::memory_order_acquire)) {
    valid = true;
    return sectors;
  }
  const std::shared_lock lock(mutex_);
  std::uint64_t end = sector;  // of the part with the same answer
  if (stale_) {
    const std::uint64_t region = stale_->region_of(sector);
    valid = !stale_->test(region);
    end = stale_->next(region, valid) << stale_->log2_sectors();
  } else {
    valid = sector < position_;
    end = valid ? position_ : sector + sectors;
  }
  return std::min(end - sector, sectors);
}

Result<void> Recalculation::step() {
  const std::lock_guard stepping(step_mutex_);
  TRY(volume_.failure.check());
  std::uint64_t sector = 0, sectors = 0;
  const std::uint64_t end = volume_.layout.provided_data_sectors();
  {
    const std::lock_guard lock(mutex_);
    if (stale_ && position_ < end) {
      // Valid tags need no recalculation.
      const std::uint64_t region = stale_->next(stale_->region_of(position_), true);
      if (region > stale_->region_of(position_))
        position_ = std::min(end, region << stale_->log2_sectors());
    }
    sector = position_;
  }
  if (sector < end) {
    sectors = std::min(kStepSectors, volume_.layout.contiguous_sectors(sector));
    TRY(recalculate(sector, sectors).context("recalculating"));
  }
  if (sector + sectors < end && sector + sectors - saved_ < kSaveSectors) return {};
  return save_locked();
}

Result<void> Recalculation::recalculate(std::uint64_t sector, std::uint64_t sectors) {
  Bytes blocks(sectors * kSectorSize);
  Bytes tags(volume_.block_of(sectors) * volume_.layout.tag_size());
  const RangeLock::Exclusive lock(volume_.ranges, sector, sectors);
  TRY(volume_.data.read(sector, blocks));
  volume_.hash->compute(volume_.block_of(sector), blocks, tags);
  TRY(volume_.tags.write(volume_.block_of(sector), tags));
  advance(sector, sectors);
  return {};
}

void Recalculation::advance(std::uint64_t sector, std::uint64_t sectors) {
  const std::lock_guard lock(mutex_);
  position_ = sector + sectors;
  if (stale_) clear_regions(sector);
  note_validity();
}

/// The regions from that of `sector` on whose end has been reached; the last one ends with the
/// device.
void Recalculation::clear_regions(std::uint64_t sector) {
  const std::uint64_t end = position_ == volume_.layout.provided_data_sectors()
                                ? stale_->regions()
                                : stale_->region_of(position_);
  const std::uint64_t first = stale_->region_of(sector);
  if (end > first) stale_->clear(first, end - 1);
}

Result<void> Recalculation::save() {
  const std::lock_guard stepping(step_mutex_);
  return save_locked();
}

Result<void> Recalculation::save_locked() {
  const std::uint64_t reached = position();
  if (reached == saved_) return {};
  TRY(volume_.flush_tags());
  volume_.superblock->change([&](Superblock& superblock) { superblock.recalc_sector = reached; });
  TRY(volume_.superblock->save(volume_.meta));
  saved_ = reached;
  return {};
}

}  // namespace intact::integrity
