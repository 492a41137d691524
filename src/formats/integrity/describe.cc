#include <array>
#include <utility>

#include <fmt/format.h>

#include <intact/integrity/inspect.h>
#include <intact/integrity/layout.h>

namespace intact::integrity {
namespace {

/// In integritysetup's order.
constexpr std::array kFlags = {std::pair(Superblock::have_journal_mac, "have_journal_mac"),
                               std::pair(Superblock::recalculating, "recalculating"),
                               std::pair(Superblock::dirty_bitmap, "dirty_bitmap"),
                               std::pair(Superblock::fixed_padding, "fix_padding"),
                               std::pair(Superblock::fixed_hmac, "fix_hmac"),
                               std::pair(Superblock::in_line, "inline")};

}  // namespace

Result<Superblock> superblock_at(const ByteSource& device, std::uint64_t start) {
  if (start > device.size() / kSectorSize || device.size() - start * kSectorSize < kSuperblockSize)
    return Error(ErrorKind::malformed, "too small for a superblock");
  Bytes bytes(sizeof(RawSuperblock));
  TRY(device.read(start * kSectorSize, bytes));
  return parse_superblock(TRY(load<RawSuperblock>(bytes, 0)));
}

std::vector<std::string> flag_names(const Superblock& superblock) {
  std::vector<std::string> names;
  for (const auto& [flag, name] : kFlags)
    if (superblock.has(flag)) names.emplace_back(name);
  if (const std::uint32_t unknown = superblock.flags & ~Superblock::kKnownFlags; unknown != 0)
    names.push_back(fmt::format("unknown_{:#x}", unknown));
  return names;
}

Result<std::uint64_t> journal_size(const Superblock& superblock) {
  const auto section =
      TRY(SectionGeometry::create(superblock.tag_size, superblock.log2_sectors_per_block,
                                  superblock.has(Superblock::have_journal_mac)));
  return std::uint64_t{superblock.journal_sections} * section.sectors * kSectorSize;
}

std::vector<std::string> describe_layout(const Superblock& superblock, const Params& params,
                                         DeviceSizes sizes) {
  std::vector<std::string> lines = {fmt::format("superblock version {} at sector {}, flags {:#x}",
                                                superblock.version, params.start,
                                                superblock.flags)};
  const auto layout = Layout::create(superblock, params, sizes);
  if (!layout) {
    lines.push_back("no layout: " + layout.error().message());
    return lines;
  }
  lines.push_back(
      fmt::format("tags of {} bytes for blocks of {} bytes; {} journal sections of {} sectors",
                  layout->tag_size(), layout->block_size(), layout->journal_sections(),
                  layout->section().sectors));
  lines.push_back(fmt::format("{} sectors provided; first tag at byte {}, first data at byte {}",
                              layout->provided_data_sectors(), layout->tag_byte(0),
                              layout->data_sector(0) * kSectorSize));
  return lines;
}

}  // namespace intact::integrity
