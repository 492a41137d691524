#include "marked_regions.h"

#include <algorithm>

#include "tag_compare.h"

namespace intact::integrity {
namespace {

constexpr std::uint64_t kChunkSectors = 2048;

/// Calls `use(sector, data)` for all data in the marked regions, in pieces whose blocks and tags
/// are contiguous on the devices.
template <typename Use>
Result<void> for_each_chunk(const Volume& volume, const RegionMap& marked, Use use) {
  const Layout& layout = volume.layout;
  Bytes buffer(kChunkSectors * kSectorSize);
  for (std::uint64_t region = marked.next(0, true); region < marked.regions();
       region = marked.next(region + 1, true)) {
    const std::uint64_t end =
        std::min((region + 1) << marked.log2_sectors(), layout.provided_data_sectors());
    for (std::uint64_t sector = region << marked.log2_sectors(); sector < end;) {
      const std::uint64_t sectors =
          std::min({end - sector, kChunkSectors, layout.contiguous_sectors(sector)});
      const MutableByteSpan data = MutableByteSpan(buffer).first(sectors * kSectorSize);
      TRY(volume.data.read(sector, data));
      TRY(use(sector, data));
      sector += sectors;
    }
  }
  return {};
}

}  // namespace

Result<FailingBlocks> check_marked(Volume& volume, const RegionMap& marked) {
  const std::size_t tag_size = volume.layout.tag_size();
  const Bytes discarded(tag_size, kDiscardFiller);
  FailingBlocks failing;
  Bytes stored, computed;
  TRY(for_each_chunk(volume, marked, [&](std::uint64_t sector, ByteSpan data) -> Result<void> {
    const std::uint64_t first = volume.block_of(sector);
    const std::uint64_t blocks = data.size() / volume.layout.block_size();
    stored.resize(blocks * tag_size);
    computed.resize(stored.size());
    TRY(volume.tags.read(first, stored));
    volume.hash->compute(first, data, computed);
    if (equal_tags(stored, computed)) return {};
    for (std::uint64_t i = 0; i < blocks; ++i) {
      const ByteSpan tag = ByteSpan(stored).subspan(i * tag_size, tag_size);
      if (equal_tags(tag, ByteSpan(computed).subspan(i * tag_size, tag_size))) continue;
      if (volume.params.allow_discards && equal_tags(tag, discarded)) continue;
      if (!failing.first_sector) failing.first_sector = volume.sector_of(first + i);
      failing.sectors += volume.sector_of(1);
    }
    return {};
  }));
  return failing;
}

Result<std::uint64_t> retag_marked(Volume& volume, const RegionMap& marked) {
  std::uint64_t sectors = 0;
  Bytes tags;
  TRY(for_each_chunk(volume, marked, [&](std::uint64_t sector, ByteSpan data) -> Result<void> {
    const std::uint64_t first = volume.block_of(sector);
    tags.resize(data.size() / volume.layout.block_size() * volume.layout.tag_size());
    volume.hash->compute(first, data, tags);
    sectors += volume.sectors_in(data);
    return volume.tags.write(first, tags);
  }));
  TRY(volume.flush_tags());
  return sectors;
}

}  // namespace intact::integrity
