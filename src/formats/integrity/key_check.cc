#include "key_check.h"

#include <algorithm>

#include "tag_compare.h"

namespace intact::integrity {
namespace {

constexpr std::uint64_t kSamples = 256;

/// This many bad blocks without a good one are not an accident. One can be damage, and in mode D a
/// crash leaves blocks that fail.
unsigned enough(Mode mode) {
  return mode == Mode::direct ? 64 : 2;
}

/// Whether the tag was never written or is that of a discarded block: such a tag proves nothing.
bool says_nothing(ByteSpan tag) {
  const auto all = [&](std::byte value) {
    return std::ranges::all_of(tag, [value](std::byte b) { return b == value; });
  };
  return all(std::byte{0}) || all(kDiscardFiller);
}

}  // namespace

Result<void> check_key(Volume& volume, const JournalRing& journal,
                       const std::optional<RegionMap>& dirty) {
  const Superblock superblock = volume.superblock->get();
  const Params& params = volume.params;
  const bool all_anew = params.reset_recalculate ||
                        (params.recalculate && !superblock.has(Superblock::recalculating));
  if (!volume.hash || all_anew) return {};
  const std::uint64_t blocks = volume.layout.provided_blocks();
  const std::uint64_t valid = superblock.has(Superblock::recalculating)
                                  ? superblock.recalc_sector
                                  : volume.layout.provided_data_sectors();
  const std::uint64_t samples = std::min(kSamples, blocks);
  Bytes block(volume.layout.block_size()), stored(volume.layout.tag_size()), tag(stored.size());
  unsigned bad = 0;
  for (std::uint64_t i = 0; i < samples; ++i) {
    const std::uint64_t at = blocks / samples * i;
    const std::uint64_t sector = volume.sector_of(at);
    if (sector >= valid || journal.holds(at) || (dirty && dirty->test(dirty->region_of(sector))))
      continue;
    TRY(volume.tags.read(at, stored));
    if (says_nothing(stored)) continue;
    if (!volume.data.read(sector, block)) continue;  // a reader of the block will get the error
    volume.hash->compute(at, block, tag);
    if (equal_tags(tag, stored)) return {};
    ++bad;
  }
  if (bad < enough(params.mode)) return {};
  const bool keyed = !params.internal_hash->key_bytes().empty();
  return Error(keyed ? ErrorKind::bad_secret : ErrorKind::invalid_argument,
               keyed
                   ? "no block matches its tag: wrong internal hash or key, or the tags were never "
                     "written; recalculate all tags to create them"
                   : "no block matches its tag: wrong internal hash, or the tags were never "
                     "written; recalculate all tags to create them");
}

}  // namespace intact::integrity
