#include <intact/console/output.h>
#include <intact/integrity/inspect.h>
#include <intact/report/integrity.h>

#include "command.h"
#include "integrity_commands.h"

namespace intact::cli {
namespace {

Result<int> dump(const IntegrityCommand& options) {
  const auto file = TRY(open_unlocked(options.device));
  const auto superblock =
      TRY(integrity::superblock_at(*file, options.start).context(options.device));
  print_result(options.json, report::to_json(superblock),
               report::to_text(superblock, options.device));
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
