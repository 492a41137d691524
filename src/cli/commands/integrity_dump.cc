#include <string>

#include <intact/integrity/inspect.h>
#include <intact/json/json.h>

#include "command.h"
#include "integrity_commands.h"

namespace intact::cli {
namespace {

using integrity::Superblock;

Json to_json(const Superblock& superblock) {
  Json json = {{"superblock_version", superblock.version},
               {"log2_interleave_sectors", superblock.log2_interleave_sectors},
               {"integrity_tag_size", superblock.tag_size},
               {"journal_sections", superblock.journal_sections},
               {"provided_data_sectors", superblock.provided_data_sectors},
               {"sector_size", superblock.block_size()},
               {"log2_blocks_per_bitmap", superblock.log2_blocks_per_bitmap_bit},
               {"flags", integrity::flag_names(superblock)},
               {"salt", to_hex(superblock.salt)}};
  if (superblock.has(Superblock::recalculating)) json["recalc_sector"] = superblock.recalc_sector;
  return json;
}

Result<int> dump(const IntegrityCommand& options) {
  const auto file = TRY(open_unlocked(options.device));
  const Superblock superblock =
      TRY(integrity::superblock_at(*file, options.start).context(options.device));
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
  for (const std::string& name : integrity::flag_names(superblock)) flags += name + " ";
  print("flags {}\n", flags);
  return 0;
}

}  // namespace

void add_integrity_dump_command(Program& program, CLI::App* group) {
  const auto [command, options] =
      add_integrity_command<IntegrityCommand>(program, group, "dump", "Show the superblock", dump);
  options->add_device(command);
  command->add_flag("--json", options->json, "Print the result as JSON");
}

}  // namespace intact::cli
