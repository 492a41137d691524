#pragma once

#include <cstdint>
#include <optional>

#include <intact/base/result.h>

#include "region_map.h"
#include "volume.h"

namespace intact::integrity {

/// Blocks in marked regions that fail their tags.
struct FailingBlocks {
  std::uint64_t sectors = 0;                       ///< number of logical sectors
  std::optional<std::uint64_t> first_sector = {};  ///< none: every block matches its tag
};

/// Compares all blocks in the regions that `marked` contains with their tags. Writes nothing. The
/// volume has an internal hash.
Result<FailingBlocks> check_marked(Volume& volume, const RegionMap& marked);

/// Computes new tags for all blocks in these regions from the data found there and flushes them.
/// Returns the number of sectors. Nothing verifies the data: the caller trusts it.
Result<std::uint64_t> retag_marked(Volume& volume, const RegionMap& marked);

}  // namespace intact::integrity
