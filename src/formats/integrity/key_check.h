#pragma once

#include <cstdint>
#include <optional>
#include <set>

#include "region_map.h"
#include "volume.h"

namespace intact::integrity {

/// Before anything is written with a hash or key that is not the device's: reads some blocks. If
/// several fail their tags and none fits: bad_secret with a key, else invalid_argument. Does not
/// look at blocks in `journaled`, in regions of `dirty`, yet to be recalculated, or never written
/// (their tags are zero).
Result<void> check_key(Volume& volume, const std::set<std::uint64_t>& journaled,
                       const std::optional<RegionMap>& dirty);

}  // namespace intact::integrity
