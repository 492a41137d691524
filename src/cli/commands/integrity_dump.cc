#include <array>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>

#include <intact/base/file.h>
#include <intact/integrity/superblock.h>
#include <intact/json/json.h>

#include "command.h"
#include "integrity_commands.h"

namespace intact::cli {
namespace {

using integrity::Superblock;

/// In integritysetup's order.
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
  const Superblock superblock = TRY(superblock_of(options));
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

}  // namespace

Result<Superblock> superblock_of(const IntegrityOptions& options) {
  UniqueFd fd = TRY(open_file(options.device, O_RDONLY));
  const auto target = TRY(
      block::FileDevice::create(std::move(fd), block::Access::read_only).context(options.device));
  return superblock_of(options, *target);
}

Result<Superblock> superblock_of(const IntegrityOptions& options, const block::FileDevice& device) {
  Bytes bytes(sizeof(integrity::RawSuperblock));
  if (options.start > device.size() / integrity::kSectorSize ||
      device.size() - options.start * integrity::kSectorSize < integrity::kSuperblockSize)
    return Error(ErrorKind::malformed, options.device + ": too small for a superblock");
  TRY(device.read(options.start * integrity::kSectorSize, bytes).context(options.device));
  return integrity::parse_superblock(TRY(load<integrity::RawSuperblock>(bytes, 0)))
      .context(options.device);
}

void add_integrity_dump_command(Program& program, CLI::App* group) {
  const auto [command, options] =
      add_integrity_command<IntegrityCommand>(program, group, "dump", "Show the superblock", dump);
  options->add_device(command);
  command->add_flag("--json", options->json, "Print the result as JSON");
}

}  // namespace intact::cli
