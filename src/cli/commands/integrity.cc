#include <fcntl.h>

#include <intact/base/file.h>
#include <intact/console/peer_commands.h>

#include "command.h"
#include "commands.h"
#include "integrity_commands.h"

// The commands of this group take the options of integritysetup and print the same field names.
namespace intact::cli {

Result<std::unique_ptr<block::FileDevice>> open_unlocked(const std::string& path) {
  return block::FileDevice::create(TRY(open_file(path, O_RDONLY)), block::Access::read_only)
      .context(path);
}

void add_integrity_commands(Program& program) {
  CLI::App* group = program.add(program.app(), "integrity",
                                "dm-integrity devices, with the options of integritysetup");
  group->require_subcommand(1);
  add_peer_options(group);
  program.before_parsing([group](auto& arguments) { put_command_first(*group, arguments); });
  add_integrity_format_command(program, group);
  add_integrity_open_command(program, group);
  add_close_command(program, group, "integrity", true);
  add_integrity_dump_command(program, group);
  add_integrity_status_command(program, group);
  add_integrity_check_command(program, group);
  add_integrity_replay_command(program, group);
  add_integrity_recalculate_command(program, group);
  add_integrity_resize_command(program, group);
  add_integrity_detect_command(program, group);
}

}  // namespace intact::cli
