#include <array>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <intact/base/file.h>
#include <intact/integrity/layout.h>
#include <intact/integrity/superblock.h>
#include <intact/json/json.h>

#include "integrity_commands.h"

namespace intact::cli {
namespace {

using integrity::Superblock;

struct Seen {
  Superblock superblock;
  bool locked = false;  // somebody writes to it
};

/// The superblock as it is: no key is needed, nobody is kept from writing.
Result<Seen> look_at(const IntegrityCommand& options) {
  UniqueFd fd = TRY(open_file(options.device, O_RDONLY));
  Seen seen;
  seen.locked = ::flock(fd.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  const auto target = TRY(
      block::FileTarget::create(std::move(fd), block::Access::read_only).context(options.device));
  Bytes bytes(sizeof(integrity::RawSuperblock));
  if (options.start > target->size() / integrity::kSectorSize ||
      target->size() - options.start * integrity::kSectorSize < integrity::kSuperblockSize)
    return Error(ErrorKind::malformed, options.device + ": too small for a superblock");
  TRY(target->read(options.start * integrity::kSectorSize, bytes).context(options.device));
  seen.superblock = TRY(integrity::parse_superblock(TRY(load<integrity::RawSuperblock>(bytes, 0)))
                            .context(options.device));
  return seen;
}

/// In the order in which integritysetup names them.
constexpr std::array kFlags = {std::pair(Superblock::have_journal_mac, "have_journal_mac"),
                               std::pair(Superblock::recalculating, "recalculating"),
                               std::pair(Superblock::dirty_bitmap, "dirty_bitmap"),
                               std::pair(Superblock::fixed_padding, "fix_padding"),
                               std::pair(Superblock::fixed_hmac, "fix_hmac"),
                               std::pair(Superblock::in_line, "inline")};

std::vector<std::string> flag_names(const Superblock& superblock) {
  std::vector<std::string> names;
  for (const auto& [flag, name] : kFlags)
    if (superblock.has(flag)) names.emplace_back(name);
  if (const std::uint32_t unknown = superblock.flags & ~Superblock::kKnownFlags; unknown != 0)
    names.push_back(fmt::format("unknown_{:#x}", unknown));
  return names;
}

Json to_json(const Superblock& superblock) {
  Json json = {{"superblock_version", superblock.version},
               {"log2_interleave_sectors", superblock.log2_interleave_sectors},
               {"integrity_tag_size", superblock.tag_size},
               {"journal_sections", superblock.journal_sections},
               {"provided_data_sectors", superblock.provided_data_sectors},
               {"sector_size", superblock.block_size()},
               {"log2_blocks_per_bitmap", superblock.log2_blocks_per_bitmap_bit},
               {"flags", flag_names(superblock)},
               {"salt", to_hex(superblock.salt)}};
  if (superblock.has(Superblock::recalculating)) json["recalc_sector"] = superblock.recalc_sector;
  return json;
}

Result<int> dump(const IntegrityCommand& options) {
  const Superblock superblock = TRY(look_at(options)).superblock;
  if (options.json) {
    print("{}\n", to_text(to_json(superblock)));
    return 0;
  }
  print("Info for integrity device {}.\n", options.device);
  print("superblock_version {}\n", superblock.version);
  print("log2_interleave_sectors {}\n", superblock.log2_interleave_sectors);
  print("integrity_tag_size {}\n", superblock.tag_size);
  print("journal_sections {}\n", superblock.journal_sections);
  print("provided_data_sectors {}\n", superblock.provided_data_sectors);
  print("sector_size {}\n", superblock.block_size());
  if (superblock.has(Superblock::recalculating))
    print("recalc_sector {}\n", superblock.recalc_sector);
  print("log2_blocks_per_bitmap {}\n", superblock.log2_blocks_per_bitmap_bit);
  std::string flags;
  for (const std::string& name : flag_names(superblock)) flags += name + " ";
  print("flags {}\n", flags);
  return 0;
}

Result<std::uint64_t> journal_bytes(const Superblock& superblock) {
  const auto section =
      TRY(integrity::SectionGeometry::create(superblock.tag_size, superblock.log2_sectors_per_block,
                                             superblock.has(Superblock::have_journal_mac)));
  return std::uint64_t{superblock.journal_sections} * section.sectors * integrity::kSectorSize;
}

Result<int> status(const IntegrityCommand& options) {
  const Seen seen = TRY(look_at(options));
  const Superblock& superblock = seen.superblock;
  const std::uint64_t journal = TRY(journal_bytes(superblock));
  const std::uint64_t interleave = superblock.log2_interleave_sectors == 0
                                       ? 0
                                       : std::uint64_t{1} << superblock.log2_interleave_sectors;
  const bool dirty = superblock.has(Superblock::dirty_bitmap);
  const bool recalculating = superblock.has(Superblock::recalculating) &&
                             superblock.recalc_sector < superblock.provided_data_sectors;
  if (options.json) {
    print("{}\n", to_text(Json{{"device", options.device},
                               {"active", seen.locked},
                               {"tag_size", superblock.tag_size},
                               {"sector_size", superblock.block_size()},
                               {"interleave_sectors", interleave},
                               {"sectors", superblock.provided_data_sectors},
                               {"journal_bytes", journal},
                               {"dirty_bitmap", dirty},
                               {"recalculating", recalculating},
                               {"recalc_sector", superblock.recalc_sector}}));
    return 0;
  }
  print("{} is {}.\n", options.device, seen.locked ? "active" : "inactive");
  print("  type:    INTEGRITY\n");
  print("  tag size: {}\n", superblock.tag_size);
  print("  device:  {}\n", options.device);
  print("  sector size:  {} bytes\n", superblock.block_size());
  if (interleave != 0) print("  interleave sectors: {}\n", interleave);
  print("  size:    {} sectors\n", superblock.provided_data_sectors);
  print("  journal size: {} bytes\n", journal);
  if (dirty) print("  bitmap:  in use{}\n", seen.locked ? "" : ", and not closed");
  if (recalculating) print("  recalculated: {} sectors\n", superblock.recalc_sector);
  return 0;
}

}  // namespace

void add_integrity_dump_commands(Program& program, CLI::App* group) {
  {
    const auto [command, options] = add_integrity_command<IntegrityCommand>(
        program, group, "dump", "Show the superblock", dump);
    options->add_device(command);
    command->add_flag("--json", options->json, "Print it as JSON");
  }
  {
    const auto [command, options] = add_integrity_command<IntegrityCommand>(
        program, group, "status", "Show whether a device is in use, and what state it is in",
        status);
    options->add_device(command);
    command->add_flag("--json", options->json, "Print it as JSON");
  }
}

}  // namespace intact::cli
