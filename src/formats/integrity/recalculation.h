#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <shared_mutex>

#include "region_map.h"
#include "volume.h"

namespace intact::integrity {

/// Which tags are not valid yet, and the work of making them so. Goes from the front of the device
/// to its end; what it has reached is saved now and then. Thread-safe.
class Recalculation {
 public:
  /// `stale`: in mode B, the regions with invalid tags. Without it all from recalc_sector of the
  /// superblock on are invalid, if it says recalculating.
  Recalculation(Volume& volume, std::optional<RegionMap> stale);

  bool done() const;
  /// The first sector that has not been dealt with.
  std::uint64_t position() const;

  /// How many of `sectors` sectors from `sector` on are alike, and whether their tags are valid.
  /// The caller holds their range, so that it stays so.
  std::uint64_t run(std::uint64_t sector, std::uint64_t sectors, bool& valid) const;

  /// Recalculates up to 1 MiB of data.
  Result<void> step();
  /// Writes down how far it has come: the tags first.
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
  std::atomic<bool> all_valid_;  // the usual case, without the lock
  std::uint64_t position_;
  std::optional<RegionMap> stale_;
};

}  // namespace intact::integrity
