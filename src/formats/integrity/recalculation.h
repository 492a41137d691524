#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <shared_mutex>

#include "region_map.h"
#include "volume.h"

namespace intact::integrity {

/// Knows which tags are not valid yet, and calculates them from the beginning of the device to its
/// end. Its progress is saved now and then. Thread-safe.
class Recalculation {
 public:
  /// `stale`: in mode B, the regions with invalid tags. Without it, all tags from recalc_sector on
  /// are invalid if the superblock has the flag recalculating.
  Recalculation(Volume& volume, std::optional<RegionMap> stale);

  bool done() const;
  /// The first sector that has not been recalculated.
  std::uint64_t position() const;

  /// How many of `sectors` sectors from `sector` on have the same answer to whether their tags are
  /// valid, and that answer. The caller holds their range, so that it does not change.
  std::uint64_t run(std::uint64_t sector, std::uint64_t sectors, bool& valid) const;

  /// Recalculates up to 1 MiB of data.
  Result<void> step();
  /// Saves the progress, after the tags.
  Result<void> save();

  std::optional<RegionMap> stale() const;

 private:
  Result<void> save_locked();
  Result<void> recalculate(std::uint64_t sector, std::uint64_t sectors);
  void advance(std::uint64_t sector, std::uint64_t sectors);
  void clear_regions(std::uint64_t sector);
  void note_validity();

  Volume& volume_;
  std::mutex step_mutex_;  // one thread at a time steps or saves
  std::uint64_t saved_;
  mutable std::shared_mutex mutex_;
  std::atomic<bool> all_valid_;  // checked first, without the lock
  std::uint64_t position_;
  std::optional<RegionMap> stale_;
};

}  // namespace intact::integrity
