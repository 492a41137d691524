#include <algorithm>
#include <bit>

#include <intact/base/checked.h>
#include <intact/integrity/layout.h>

namespace intact::integrity {
namespace {

constexpr unsigned kMaxLog2Buffer = 31 - 9;
constexpr unsigned kMinLog2MetaBuffer = 3;
constexpr std::uint64_t kMaxInitialSectors = 0xffffffff;
constexpr std::uint64_t kMaxJournalSectors = 131072;  // by default; 64 MiB
constexpr unsigned kLog2JournalShare = 7;             // of the data by default
constexpr std::uint64_t kFixedPadding = 4096;         // bytes
constexpr std::uint64_t kLegacyPadding = 512 << 8;    // bytes; meant to be 512 << 3
constexpr unsigned kEntrySectors = 8;                 // of a section
constexpr std::uint64_t kBitsPerSector = kSectorSize * 8;
constexpr std::uint64_t kBitsPerBitmapBlock = 4096 * 8;
/// No file is larger than 2^63 bytes; with this no product of the layout overflows.
constexpr std::uint64_t kMaxDeviceSectors = std::uint64_t{1} << 54;

unsigned floor_log2(std::uint64_t value) {
  return static_cast<unsigned>(std::bit_width(value)) - 1;
}

Error too_small() {
  return Error(ErrorKind::malformed,
               "The device is too small: it ends before the journal and the first data");
}

Error cannot_format() {
  return Error(ErrorKind::invalid_argument,
               "Could not initialize superblock: the device is too small for these parameters");
}

}  // namespace

Result<SectionGeometry> SectionGeometry::create(std::uint32_t tag_size,
                                                unsigned log2_sectors_per_block, bool has_mac) {
  const std::uint32_t block_sectors = 1u << log2_sectors_per_block;
  const std::uint32_t space = 512 - 8 - (has_mac ? 8 : 0);
  SectionGeometry section{};
  section.entry_size = align_up<std::uint32_t>(8 + 8 * block_sectors + tag_size, 8);
  if (tag_size > space || section.entry_size > space)
    return Error(ErrorKind::invalid_argument, "Too big tag size: no journal entry holds one");
  section.entries_per_sector = space / section.entry_size;
  section.entries = section.entries_per_sector * kEntrySectors;
  section.sectors = section.entries * block_sectors + kEntrySectors;
  return section;
}

Result<void> Layout::set_shape(const Superblock& superblock, const Params& params,
                               DeviceSizes sizes) {
  if (sizes.data > kMaxDeviceSectors || sizes.of_meta() > kMaxDeviceSectors ||
      params.start > kMaxDeviceSectors)
    return Error(ErrorKind::limit, "devices of more than 2^63 bytes");
  section_ = TRY(SectionGeometry::create(superblock.tag_size, superblock.log2_sectors_per_block,
                                         superblock.has(Superblock::have_journal_mac)));
  tag_size_ = superblock.tag_size;
  log2_block_ = superblock.log2_sectors_per_block;
  log2_interleave_ = superblock.log2_interleave_sectors;
  separate_meta_ = sizes.meta.has_value();
  in_line_ = superblock.has(Superblock::in_line);
  start_ = params.start;
  journal_sections_ = superblock.journal_sections;
  initial_ = kSuperblockSectors + std::uint64_t{section_.sectors} * journal_sections_;
  log2_buffer_ = std::min(floor_log2(std::max(params.buffer_sectors, 1u)), kMaxLog2Buffer);
  if (separate_meta_ || in_line_) return {};
  const std::uint64_t padding =
      superblock.has(Superblock::fixed_padding) ? kFixedPadding : kLegacyPadding;
  run_ =
      align_up(std::uint64_t{tag_size_} << (log2_interleave_ - log2_block_), padding) / kSectorSize;
  log2_buffer_ = std::min(log2_buffer_, static_cast<unsigned>(std::countr_zero(run_)));
  corrupts_itself_ = log2_interleave_ < log2_buffer_;
  return {};
}

/// Whether the provided sectors and their tags are within the devices.
bool Layout::fits(DeviceSizes sizes) const {
  if (initial_ > kMaxInitialSectors || initial_ + 8 >= sizes.of_meta()) return false;
  if (in_line_) return kSuperblockSectors + provided_ <= sizes.data;
  if (separate_meta_) {
    const std::uint64_t buffer = kSectorSize << log2_buffer_;
    const std::uint64_t meta = align_up(provided_blocks() * tag_size_, buffer) / kSectorSize;
    return initial_ + meta <= sizes.of_meta();
  }
  // Before areas and runs are multiplied: each sector takes at least its own place.
  if (provided_ == 0 || provided_ > sizes.data) return false;
  const std::uint64_t areas = ((provided_ - 1) >> log2_interleave_) + 1;
  if (const auto runs = checked_multiply(areas, run_); !runs || *runs > sizes.data) return false;
  const std::uint64_t last = data_sector(provided_ - 1);
  return last >= start_ && last < sizes.data;
}

/// How the tag area is rounded up matters only for the size of a metadata device.
bool Layout::fits_in_smaller_buffer(DeviceSizes sizes) {
  while (!fits(sizes)) {
    if (!separate_meta_ || log2_buffer_ <= kMinLog2MetaBuffer) return false;
    --log2_buffer_;
  }
  return true;
}

/// As many sectors as fit, bit by bit, a multiple of 8.
void Layout::provide(DeviceSizes sizes) {
  if (separate_meta_) {
    provided_ = sizes.data >> log2_block_ << log2_block_;
    return;
  }
  provided_ = 0;
  for (unsigned bit = 63; bit >= 3; --bit) {
    const std::uint64_t without = provided_;
    provided_ |= std::uint64_t{1} << bit;
    if (!fits(sizes)) provided_ = without;
  }
}

Result<Layout> Layout::create(const Superblock& superblock, const Params& params,
                              DeviceSizes sizes) {
  if (sizes.meta && superblock.has(Superblock::in_line))
    return Error(ErrorKind::invalid_argument, "Metadata device not supported in inline mode");
  if (sizes.meta.has_value() == (superblock.log2_interleave_sectors != 0) &&
      !superblock.has(Superblock::in_line))
    return Error(ErrorKind::invalid_argument, "Invalid interleave_sectors in the superblock");
  Layout layout;
  TRY(layout.set_shape(superblock, params, sizes));
  layout.provide(sizes);
  if (layout.provided_ == 0 || !layout.fits_in_smaller_buffer(sizes)) return too_small();
  return layout;
}

std::uint64_t Layout::data_sector(std::uint64_t sector) const {
  if (separate_meta_) return sector;
  if (in_line_) return start_ + kSuperblockSectors + sector;
  const std::uint64_t area = sector >> log2_interleave_;
  return start_ + initial_ + sector + (area + 1) * run_;
}

std::uint64_t Layout::contiguous_sectors(std::uint64_t sector) const {
  if (separate_meta_ || in_line_) return provided_ - sector;
  const std::uint64_t in_area = std::uint64_t{1} << log2_interleave_;
  return std::min(provided_ - sector, in_area - sector % in_area);
}

std::uint64_t Layout::tag_byte(std::uint64_t block) const {
  const std::uint64_t first = (start_ + initial_) * kSectorSize;
  if (separate_meta_) return first + block * tag_size_;
  const std::uint64_t sector = block << log2_block_;
  const std::uint64_t area = sector >> log2_interleave_;
  const std::uint64_t in_area = block - (area << log2_interleave_ >> log2_block_);
  // The kernel counts runs in whole buffers, which is exact except where corrupts_itself().
  const std::uint64_t run_start = ((area << log2_interleave_) + area * run_) >> log2_buffer_
                                                                                    << log2_buffer_;
  return first + run_start * kSectorSize + in_area * tag_size_;
}

unsigned Layout::log2_sectors_per_bit(unsigned log2_wanted) const {
  unsigned log2 = std::max(log2_wanted, log2_block_);
  if (in_line_) return log2;  // no bitmap, and no room for one
  const std::uint64_t room =
      std::min<std::uint64_t>((initial_ - kSuperblockSectors) * kBitsPerSector, 0xffffffff);
  while (room < bitmap_bits(log2)) ++log2;
  return log2;
}

std::uint64_t Layout::bitmap_bits(unsigned log2_sectors_per_bit) const {
  if (log2_sectors_per_bit >= 63) return 1;
  return divide_up(provided_, std::uint64_t{1} << log2_sectors_per_bit);
}

std::uint64_t Layout::bitmap_blocks(unsigned log2_sectors_per_bit) const {
  return divide_up(bitmap_bits(log2_sectors_per_bit), kBitsPerBitmapBlock);
}

Result<Superblock> plan_format(const Params& params, DeviceSizes sizes) {
  Superblock superblock;
  const bool in_line = params.mode == Mode::in_line;
  superblock.tag_size =
      static_cast<std::uint16_t>(TRY(check_params(params, sizes.meta.has_value())));
  superblock.log2_sectors_per_block = static_cast<std::uint8_t>(log2_sectors_per_block(params));
  superblock.set(Superblock::have_journal_mac, params.journal_mac.has_value());
  superblock.set(Superblock::fixed_padding, params.fix_padding && !sizes.meta && !in_line);
  superblock.set(Superblock::fixed_hmac,
                 params.fix_hmac && (params.internal_hash || params.journal_mac));
  superblock.set(Superblock::in_line, in_line);
  if (!sizes.meta) {
    const unsigned log2 =
        floor_log2(params.interleave_sectors == 0 ? 32768 : params.interleave_sectors);
    superblock.log2_interleave_sectors = static_cast<std::uint8_t>(std::clamp(log2, 3u, 31u));
  }

  Layout layout;
  TRY(layout.set_shape(superblock, params, sizes));
  const std::uint64_t journal_sectors =
      params.journal_sectors ? *params.journal_sectors
                             : std::min(kMaxJournalSectors, sizes.data >> kLog2JournalShare);
  const auto set_sections = [&](std::uint64_t sections) {
    layout.journal_sections_ = static_cast<std::uint32_t>(sections);
    layout.initial_ = kSuperblockSectors + sections * layout.section_.sectors;
  };
  const std::uint64_t wanted =
      in_line ? 0 : std::max<std::uint64_t>(1, journal_sectors / layout.section_.sectors);
  set_sections(wanted);
  layout.provide(sizes);
  if (layout.provided_ == 0) return cannot_format();
  if (sizes.meta) {
    // The journal gets what the tags leave of the metadata device.
    const auto shrink = [&] {
      std::uint64_t sections = 0;
      for (std::uint64_t bit = std::bit_floor(wanted); bit != 0; bit >>= 1) {
        if ((sections | bit) > wanted) continue;
        set_sections(sections | bit);
        if (layout.fits(sizes)) sections |= bit;
      }
      set_sections(sections);
      return sections != 0;
    };
    while (!shrink()) {
      if (layout.log2_buffer_ <= kMinLog2MetaBuffer) return cannot_format();
      --layout.log2_buffer_;
    }
  }
  superblock.journal_sections = layout.journal_sections_;
  superblock.provided_data_sectors = layout.provided_;
  const std::uint64_t per_bit = std::max<std::uint64_t>(1, params.sectors_per_bit);
  superblock.log2_blocks_per_bitmap_bit = static_cast<std::uint8_t>(
      layout.log2_sectors_per_bit(floor_log2(per_bit)) - layout.log2_block_);
  superblock.version = superblock_version(superblock, params.mode, sizes.meta.has_value());
  return superblock;
}

}  // namespace intact::integrity
