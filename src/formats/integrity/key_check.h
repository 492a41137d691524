#pragma once

#include <cstdint>
#include <optional>

#include "journal_ring.h"
#include "region_map.h"
#include "volume.h"

namespace intact::integrity {

/// Protects a device from being written with a wrong hash or key: reads some blocks. If several
/// fail their tags and none matches, the error is bad_secret with a key and invalid_argument
/// without. Skips blocks in the journal, in regions of `dirty`, not recalculated yet, or never
/// written (their tags are zero).
Result<void> check_key(Volume& volume, const JournalRing& journal,
                       const std::optional<RegionMap>& dirty);

}  // namespace intact::integrity
