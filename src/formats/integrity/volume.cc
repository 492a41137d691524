#include "volume.h"

#include <algorithm>

namespace intact::integrity {
namespace {

constexpr std::uint64_t kFillBlocks = 4096;  // tags that one write contains

}  // namespace

DeviceSizes Devices::sizes() const {
  DeviceSizes sizes{.data = data->size() / kSectorSize};
  if (meta) sizes.meta = meta->size() / kSectorSize;
  return sizes;
}

Result<void> Volume::write_places(std::uint64_t block, ByteSpan blocks, ByteSpan block_tags) {
  while (!blocks.empty()) {
    const std::size_t size = std::min<std::uint64_t>(
        blocks.size(), layout.contiguous_sectors(sector_of(block)) * kSectorSize);
    const std::uint64_t count = size / layout.block_size();
    const std::size_t tag_bytes = block_tags.empty() ? 0 : count * layout.tag_size();
    TRY(write_in_place(block, blocks.first(size), block_tags.first(tag_bytes)));
    blocks = blocks.subspan(size);
    block_tags = block_tags.subspan(tag_bytes);
    block += count;
  }
  return {};
}

Result<void> Volume::zero_places(std::uint64_t block, std::uint64_t blocks, ByteSpan block_tags) {
  while (blocks > 0) {
    const std::uint64_t count =
        std::min(blocks, block_of(layout.contiguous_sectors(sector_of(block))));
    const RangeLock::Exclusive lock(ranges, sector_of(block), sector_of(count));
    TRY(data.zero(sector_of(block), sector_of(count)));
    TRY(tags.write(block, block_tags.first(count * layout.tag_size())));
    block_tags = block_tags.subspan(count * layout.tag_size());
    block += count;
    blocks -= count;
  }
  return {};
}

Result<void> Volume::fill_tags(std::uint64_t block, std::uint64_t blocks) {
  const RangeLock::Exclusive lock(ranges, sector_of(block), sector_of(blocks));
  const Bytes filler(std::min(blocks, kFillBlocks) * layout.tag_size(), kDiscardFiller);
  while (blocks > 0) {
    const std::uint64_t count =
        std::min({blocks, kFillBlocks, block_of(layout.contiguous_sectors(sector_of(block)))});
    TRY(tags.write(block, ByteSpan(filler).first(count * layout.tag_size())));
    block += count;
    blocks -= count;
  }
  return {};
}

}  // namespace intact::integrity
