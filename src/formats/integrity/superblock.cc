#include <fmt/format.h>

#include <intact/integrity/layout.h>

namespace intact::integrity {
namespace {

constexpr std::array<char, 8> kMagic = {'i', 'n', 't', 'e', 'g', 'r', 't', 0};
constexpr unsigned kMinLog2Interleave = 3, kMaxLog2Interleave = 31, kMaxLog2Block = 3;

Error malformed(std::string what) {
  return Error(ErrorKind::malformed, "dm-integrity superblock: " + std::move(what));
}

std::uint8_t number(const std::array<std::byte, 1>& field) {
  return std::to_integer<std::uint8_t>(field[0]);
}

Result<void> check(const Superblock& superblock) {
  if (superblock.version == 0) return malformed("Unknown version: 0");
  if (superblock.version > 6)
    return Error(ErrorKind::unsupported,
                 fmt::format("dm-integrity superblock: Unknown version: {}; there are 1 to 6",
                             superblock.version));
  if (superblock.tag_size == 0 || superblock.tag_size > kMaxTagSize)
    return malformed(fmt::format("impossible tag size of {} bytes", superblock.tag_size));
  if (superblock.log2_sectors_per_block > kMaxLog2Block)
    return malformed("blocks of more than 4096 bytes");
  const bool in_line = superblock.has(Superblock::in_line);
  if (!in_line && superblock.journal_sections == 0)
    return malformed("Corrupted superblock, journal_sections is 0");
  if (in_line && superblock.journal_sections != 0)
    return malformed("Corrupted superblock, journal_sections is not 0");
  return {};
}

bool is_interleave(unsigned log2) {
  return log2 >= kMinLog2Interleave && log2 <= kMaxLog2Interleave;
}

Error wrong_interleave(unsigned log2) {
  return malformed(fmt::format("Invalid interleave_sectors in the superblock: 2^{}", log2));
}

}  // namespace

std::uint8_t superblock_version(const Superblock& superblock, Mode mode, bool has_meta_device) {
  if (superblock.has(Superblock::in_line)) return 6;
  if (superblock.has(Superblock::fixed_hmac)) return 5;
  if (superblock.has(Superblock::fixed_padding)) return 4;
  if (mode == Mode::bitmap || superblock.has(Superblock::dirty_bitmap)) return 3;
  if (has_meta_device || superblock.has(Superblock::recalculating)) return 2;
  return 1;
}

Result<Superblock> parse_superblock(const RawSuperblock& raw) {
  if (raw.magic != kMagic) return malformed("The device is not initialized: no magic");
  Superblock superblock{.version = number(raw.version),
                        .log2_interleave_sectors = number(raw.log2_interleave_sectors),
                        .tag_size = raw.integrity_tag_size.get(),
                        .journal_sections = raw.journal_sections.get(),
                        .provided_data_sectors = raw.provided_data_sectors.get(),
                        .flags = raw.flags.get(),
                        .log2_sectors_per_block = number(raw.log2_sectors_per_block),
                        .log2_blocks_per_bitmap_bit = number(raw.log2_blocks_per_bitmap_bit),
                        .recalc_sector = raw.recalc_sector.get(),
                        .salt = raw.salt};
  TRY(check(superblock));
  const unsigned interleave = superblock.log2_interleave_sectors;
  if (interleave != 0 && !is_interleave(interleave)) return wrong_interleave(interleave);
  return superblock;
}

Result<Superblock> parse_superblock(const RawSuperblock& raw, bool has_meta_device) {
  Superblock superblock = TRY(parse_superblock(raw));
  if (has_meta_device == (superblock.log2_interleave_sectors != 0) &&
      !superblock.has(Superblock::in_line))
    return malformed(fmt::format("Invalid interleave_sectors in the superblock: {}",
                                 has_meta_device ? "its data are among the tags, not separate"
                                                 : "its data are on a separate device"));
  return superblock;
}

RawSuperblock encode(const Superblock& superblock, Mode mode, bool has_meta_device) {
  const auto byte = [](unsigned value) { return std::array{static_cast<std::byte>(value)}; };
  return {.magic = kMagic,
          .version = byte(superblock_version(superblock, mode, has_meta_device)),
          .log2_interleave_sectors = byte(superblock.log2_interleave_sectors),
          .integrity_tag_size = superblock.tag_size,
          .journal_sections = superblock.journal_sections,
          .provided_data_sectors = superblock.provided_data_sectors,
          .flags = superblock.flags,
          .log2_sectors_per_block = byte(superblock.log2_sectors_per_block),
          .log2_blocks_per_bitmap_bit = byte(superblock.log2_blocks_per_bitmap_bit),
          .pad = {},
          .recalc_sector = superblock.recalc_sector,
          .pad2 = {},
          .salt = superblock.salt};
}

}  // namespace intact::integrity
