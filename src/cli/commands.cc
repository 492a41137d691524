#include "commands.h"

#include "command.h"

namespace intact::cli {
namespace {

/// Gives every command without a --json of its own one that prints errors as JSON.
void offer_json_errors(CLI::App& app) {
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
    if (command->get_group().empty() || command->get_name() == "help") continue;
    offer_json_errors(*command);
    const bool is_group = !command->get_subcommands([](CLI::App*) { return true; }).empty();
    // A script for a shell is not JSON.
    if (!is_group && command->get_name() != "completion" && !command->get_option_no_throw("--json"))
      command->add_flag("--json")->description("Print errors as JSON on standard output");
  }
}

}  // namespace

void add_all_commands(Program& program) {
  // In the order of --help: the life of an image first, then single files and devices.
  add_keygen_command(program);
  add_trust_commands(program);
  add_seal_command(program);
  add_pull_command(program);
  add_verify_command(program);
  add_mount_command(program);
  add_umount_command(program);
  add_run_command(program);
  add_export_command(program);
  add_registry_commands(program);
  add_store_commands(program);
  add_fsverity_commands(program);
  add_composefs_commands(program);
  add_verity_commands(program);
  add_open_commands(program);
  add_integrity_commands(program);
  add_completion_command(program);
  add_version_command(program);
  add_complete_command(program);
  // The names that users of other tools type.
  for (const auto& [name, alias] : {std::pair{"images", "ls"}, std::pair{"rm", "rmi"}})
    program.app().get_subcommand(name)->alias(alias);
  offer_json_errors(program.app());
}

}  // namespace intact::cli
