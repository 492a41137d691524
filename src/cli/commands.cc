#include "commands.h"

#include "command.h"

namespace intact::cli {

void add_all_commands(Program& program) {
  // In the order in which --help lists them: the way of an image, then what works on single files.
  add_keygen_command(program);
  add_trust_commands(program);
  add_seal_command(program);
  add_pull_command(program);
  add_verify_command(program);
  add_mount_commands(program);
  add_run_command(program);
  add_export_command(program);
  add_store_commands(program);
  add_fsverity_commands(program);
  add_composefs_commands(program);
  add_verity_commands(program);
  add_open_commands(program);
  add_integrity_commands(program);
  add_complete_command(program);
}

}  // namespace intact::cli
