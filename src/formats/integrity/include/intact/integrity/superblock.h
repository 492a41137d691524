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

}  // namespace intact::integrity
