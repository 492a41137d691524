#include <intact/console/output.h>
#include <intact/integrity/detect.h>
#include <intact/report/integrity.h>

#include "command.h"
#include "integrity_commands.h"

namespace intact::cli {
namespace {

Result<int> detect(const IntegrityCommand& options) {
  const auto files = TRY(options.open_files(block::Access::read_only));
  // Only the key is used, so the name does not matter.
  const auto algorithm = TRY(options.integrity.load("--integrity"));
  const auto key = algorithm ? algorithm->key : nullptr;
  const auto found = TRY(
      integrity::detect({.start = options.start}, files.devices(), key).context(options.device));
  print_result(options.json, report::to_json(found),
               report::to_text(found, options.device, key != nullptr));
  return found.hash ? 0 : 7;
}

}  // namespace

void add_integrity_detect_command(Program& program, CLI::App* group) {
  const auto [command, options] = add_integrity_command<IntegrityCommand>(
      program, group, "detect", "Find the hash that makes the tags by trying all known ones",
      detect);
  options->add_device(command);
  options->add_key(command);
  command->add_flag("--json", options->json, "Print the result as JSON");
}

}  // namespace intact::cli
