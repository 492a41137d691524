// A dm-integrity superblock is refused, or describes a layout in which everything has a place of
// its own within the device, and survives being written again.
#include <algorithm>
#include <memory>

#include <intact/block/memory_device.h>
#include <intact/integrity/inspect.h>
#include <intact/integrity/integrity_target.h>

#include "fuzz.h"

namespace {

using namespace intact;
using namespace intact::integrity;

void check_layout(const Superblock& superblock, const Params& params, DeviceSizes sizes) {
  const auto layout = Layout::create(superblock, params, sizes);
  if (!layout) return;
  const std::uint64_t provided = layout->provided_data_sectors();
  fuzz::require(provided > 0 && provided <= sizes.data);
  for (const std::uint64_t sector : {std::uint64_t{0}, provided / 2, provided - 1}) {
    fuzz::require(layout->data_sector(sector) < sizes.data);
    fuzz::require(layout->contiguous_sectors(sector) <= provided - sector);
    if (superblock.has(Superblock::in_line)) continue;  // neither tags nor journal on the device
    const std::uint64_t block = sector >> layout->log2_sectors_per_block();
    if (!layout->corrupts_itself())
      fuzz::require(layout->tag_byte(block) + layout->tag_size() <= sizes.of_meta() * kSectorSize);
  }
  if (superblock.has(Superblock::in_line)) return;
  for (const unsigned log2 : {0u, 15u, 63u}) {
    const unsigned granularity = layout->log2_sectors_per_bit(log2);
    fuzz::require(layout->bitmap_blocks(granularity) * 8 <= layout->initial_sectors() - 8);
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteSpan bytes = fuzz::input(data, size);
  RawSuperblock raw{};
  std::copy_n(data, std::min(size, sizeof raw), reinterpret_cast<std::uint8_t*>(&raw));
  const auto superblock = parse_superblock(raw);
  if (!superblock) return 0;
  auto again = parse_superblock(encode(*superblock, Mode::journal, false));
  fuzz::require(again.has_value());
  again->version = superblock->version;
  fuzz::require(*again == *superblock);

  Params params{.tag_size = superblock->tag_size,
                .mode = Mode::direct,
                .block_size = superblock->block_size(),
                .internal_hash = Algorithm{"crc32c", {}}};
  for (const std::uint64_t sectors : {std::uint64_t{2048}, std::uint64_t{80000016284}}) {
    check_layout(*superblock, params, {.data = sectors});
    check_layout(*superblock, params, {.data = sectors, .meta = sectors / 2});
  }
  // The rest of the input is a device, however the superblock says that it looks.
  Bytes device(std::max<std::size_t>(size, 256 << 10));
  std::ranges::copy(bytes, device.begin());
  const Devices devices{std::make_shared<block::MemoryDevice>(device)};
  (void)report_journal(params, devices);
  (void)IntegrityTarget::open(params, devices, {.background = false, .tag_cache_size = 65536});
  return 0;
}
