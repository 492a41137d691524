#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <intact/base/bytes.h>
#include <intact/base/endian.h>
#include <intact/base/result.h>
#include <intact/integrity/params.h>

namespace intact::integrity {

/// The superblock on disk, `start` sectors into the device that holds the tags. Little-endian. It
/// occupies 4096 bytes; after these 64 everything is zero except a MAC at the end of the first
/// sector.
struct RawSuperblock {
  std::array<char, 8> magic;                            ///< "integrt\0"
  std::array<std::byte, 1> version;                     ///< 1 to 6; see superblock_version()
  std::array<std::byte, 1> log2_interleave_sectors;     ///< 3 to 31; 0 with a metadata device
  le16 integrity_tag_size;                              ///< bytes
  le32 journal_sections;                                ///< 0 in in-line mode only
  le64 provided_data_sectors;                           ///< usable sectors, always of 512 bytes
  le32 flags;                                           ///< Superblock::Flag
  std::array<std::byte, 1> log2_sectors_per_block;      ///< 0 to 3
  std::array<std::byte, 1> log2_blocks_per_bitmap_bit;  ///< written in all modes
  std::array<std::byte, 2> pad;
  le64 recalc_sector;  ///< first sector whose tag is not valid yet, if recalculating
  std::array<std::byte, 8> pad2;
  std::array<std::byte, 16> salt;  ///< random with fixed_hmac, otherwise zero
};
static_assert(sizeof(RawSuperblock) == 64 && alignof(RawSuperblock) == 1);
static_assert(offsetof(RawSuperblock, integrity_tag_size) == 10);
static_assert(offsetof(RawSuperblock, provided_data_sectors) == 16);
static_assert(offsetof(RawSuperblock, flags) == 24);
static_assert(offsetof(RawSuperblock, recalc_sector) == 32);
static_assert(offsetof(RawSuperblock, salt) == 48);

constexpr std::uint64_t kSuperblockSectors = 8;
constexpr std::size_t kSuperblockSize = kSuperblockSectors * kSectorSize;

/// A checked superblock.
struct Superblock {
  enum Flag : std::uint32_t {
    have_journal_mac = 0x01,
    recalculating = 0x02,  ///< never cleared: done when recalc_sector reaches the end
    dirty_bitmap = 0x04,   ///< open in mode B or not closed: a bitmap replaces the journal
    fixed_padding = 0x08,
    fixed_hmac = 0x10,
    in_line = 0x20,
  };
  static constexpr std::uint32_t kKnownFlags = 0x3f;

  std::uint8_t version = 1;  ///< as read; encode() derives it again
  std::uint8_t log2_interleave_sectors = 0;
  std::uint16_t tag_size = 0;  ///< bytes
  std::uint32_t journal_sections = 0;
  std::uint64_t provided_data_sectors = 0;  ///< as of the last opening; never relied on
  std::uint32_t flags = 0;
  std::uint8_t log2_sectors_per_block = 0;
  std::uint8_t log2_blocks_per_bitmap_bit = 0;
  std::uint64_t recalc_sector = 0;
  std::array<std::byte, 16> salt{};

  bool has(Flag flag) const { return (flags & flag) != 0; }
  void set(Flag flag, bool on) { flags = on ? flags | flag : flags & ~std::uint32_t{flag}; }
  std::uint32_t block_size() const { return 512u << log2_sectors_per_block; }  ///< bytes
  /// Sectors of data between two runs of tags; 0 if the data are on a device of their own.
  std::uint64_t interleave_sectors() const {
    return log2_interleave_sectors == 0 ? 0 : std::uint64_t{1} << log2_interleave_sectors;
  }
  /// Whether the tags from recalc_sector on are still to be calculated.
  bool lacks_tags() const { return has(recalculating) && recalc_sector < provided_data_sectors; }
  bool operator==(const Superblock&) const = default;
};

/// The version that the kernel would write; it goes up and down with flags and mode.
std::uint8_t superblock_version(const Superblock& superblock, Mode mode, bool has_meta_device);

/// Errors: malformed for anything that is not a superblock or has impossible values, with the
/// kernel's messages; unsupported for versions above 6. Unknown flags are kept; devices that have
/// them are not written. `has_meta_device`: whether the data are on a device of their own.
Result<Superblock> parse_superblock(const RawSuperblock& raw, bool has_meta_device);

/// The same for tools that show a superblock without knowing where the data are.
Result<Superblock> parse_superblock(const RawSuperblock& raw);

RawSuperblock encode(const Superblock& superblock, Mode mode, bool has_meta_device);

/// The structure of a journal section: 8 sectors of entries, then the sectors of the blocks that
/// the entries describe.
struct SectionGeometry {
  std::uint32_t entry_size;          ///< bytes, a multiple of 8
  std::uint32_t entries_per_sector;  ///< at least 1
  std::uint32_t entries;             ///< of a section: 8 times as many
  std::uint32_t sectors;             ///< of a section

  /// Error invalid_argument for a tag so large that no entry fits.
  static Result<SectionGeometry> create(std::uint32_t tag_size, unsigned log2_sectors_per_block,
                                        bool has_mac);
  bool operator==(const SectionGeometry&) const = default;
};

/// Sizes of the devices in sectors; an incomplete sector at the end is not counted.
struct DeviceSizes {
  std::uint64_t data;
  std::optional<std::uint64_t> meta =
      {};  ///< none: superblock, journal and tags are on the data device

  std::uint64_t of_meta() const { return meta.value_or(data); }
};

/// Where everything is on the devices. All numbers are in sectors of 512 bytes unless stated
/// otherwise. Pure arithmetic, which does not overflow whatever the superblock says.
class Layout {
 public:
  /// For a device with this superblock. The provided size follows from the size of the devices;
  /// provided_data_sectors of the superblock is ignored. Error malformed ("The device is too
  /// small") without room for data.
  static Result<Layout> create(const Superblock& superblock, const Params& params,
                               DeviceSizes sizes);

  const SectionGeometry& section() const { return section_; }
  std::uint32_t journal_sections() const { return journal_sections_; }
  std::uint32_t tag_size() const { return tag_size_; }  ///< bytes
  unsigned log2_sectors_per_block() const { return log2_block_; }
  unsigned log2_interleave_sectors() const { return log2_interleave_; }
  unsigned log2_buffer_sectors() const { return log2_buffer_; }
  std::uint32_t block_size() const { return 512u << log2_block_; }  ///< bytes

  std::uint64_t start() const { return start_; }
  std::uint64_t initial_sectors() const { return initial_; }  ///< superblock and journal
  std::uint64_t provided_data_sectors() const { return provided_; }
  std::uint64_t provided_blocks() const { return provided_ >> log2_block_; }

  std::uint64_t journal_start() const { return start_ + kSuperblockSectors; }
  std::uint64_t section_start(std::uint32_t section) const {
    return journal_start() + std::uint64_t{section} * section_.sectors;
  }

  /// The place of logical sector `sector` on the data device.
  std::uint64_t data_sector(std::uint64_t sector) const;
  /// How many sectors from `sector` on are consecutive on the device, and so are their tags.
  std::uint64_t contiguous_sectors(std::uint64_t sector) const;
  /// The byte on the device with the tags where the tag of block `block` begins.
  std::uint64_t tag_byte(std::uint64_t block) const;

  /// In this layout Linux computes places for tags that overwrite data (interleave smaller than the
  /// metadata buffer, with legacy padding). Such a device may be read but must not be written.
  bool corrupts_itself() const { return corrupts_itself_; }

  /// log2 of the number of sectors per bit of the bitmap, at least `log2_wanted`: as fine as the
  /// journal's space allows.
  unsigned log2_sectors_per_bit(unsigned log2_wanted) const;
  /// The number of bits, and of blocks of 4096 bytes, of a bitmap with this granularity.
  std::uint64_t bitmap_bits(unsigned log2_sectors_per_bit) const;
  std::uint64_t bitmap_blocks(unsigned log2_sectors_per_bit) const;

 private:
  friend Result<Superblock> plan_format(const Params& params, DeviceSizes sizes);
  Layout() = default;
  Result<void> set_shape(const Superblock& superblock, const Params& params, DeviceSizes sizes);
  bool fits(DeviceSizes sizes) const;
  bool fits_in_smaller_buffer(DeviceSizes sizes);
  void provide(DeviceSizes sizes);

  SectionGeometry section_{};
  std::uint32_t journal_sections_ = 0;
  std::uint32_t tag_size_ = 0;
  unsigned log2_block_ = 0;
  unsigned log2_interleave_ = 0;
  unsigned log2_buffer_ = 0;
  bool separate_meta_ = false;
  bool in_line_ = false;
  bool corrupts_itself_ = false;
  std::uint64_t start_ = 0;
  std::uint64_t initial_ = 0;
  std::uint64_t run_ = 0;
  std::uint64_t provided_ = 0;
};

/// The superblock with which Linux would format devices of these sizes; its salt is zero. The
/// params must have passed check_params(). Error invalid_argument ("Could not initialize
/// superblock") if nothing fits.
Result<Superblock> plan_format(const Params& params, DeviceSizes sizes);

}  // namespace intact::integrity
