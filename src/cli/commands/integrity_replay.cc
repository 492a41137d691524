#include <intact/console/output.h>
#include <intact/console/progress.h>
#include <intact/integrity/inspect.h>
#include <intact/integrity/manage.h>
#include <intact/report/integrity.h>

#include "command.h"
#include "integrity_commands.h"

namespace intact::cli {
namespace {

struct Options : IntegrityCommand {
  bool in_place = false;
  std::string output;
  std::string data_output;
};

Result<int> show(const Options& options) {
  const auto files = TRY(options.open_files(block::Access::read_only));
  const auto params = TRY(options.params(files.devices()));
  const auto report =
      TRY(integrity::report_journal(params, files.devices()).context(options.device));
  print_result(options.json, report::to_json(report), report::to_text(report, options.device));
  return report.refused.empty() ? 0 : 3;
}

void print_done(const std::string& device, const integrity::Replayed& done, bool json) {
  print_result(json, report::to_json(done, device), report::to_text(done, device));
}

Result<int> replay_in_place(const Options& options) {
  const auto files = TRY(options.open_files(block::Access::read_write));
  const auto params = TRY(options.params(files.devices()));
  print_done(options.device,
             TRY(integrity::replay(params, files.devices()).context(options.device)), options.json);
  return 0;
}

Result<int> replay_into_copy(const Options& options) {
  if (options.data_device.empty() != options.data_output.empty())
    return wrong("--data-output is the copy of --data-device: pass both or neither");
  const auto files = TRY(options.open_files(block::Access::read_only));
  const auto params = TRY(options.params(files.devices()));
  TRY(integrity::check_replay(params, files.devices()).context(options.device));
  const auto done = TRY([&] {
    ProgressLine line;
    return integrity::replay_into_copy(params, files.devices(),
                                       {.meta = options.output, .data = options.data_output},
                                       progress_on(line, "Copying"));
  }());
  print_done(options.output, done, options.json);
  return 0;
}

Result<int> run(const Options& options) {
  if (options.in_place) return replay_in_place(options);
  return options.output.empty() ? show(options) : replay_into_copy(options);
}

}  // namespace

void add_integrity_replay_command(Program& program, CLI::App* group) {
  const auto [command, options] = add_integrity_command<Options>(
      program, group, "replay", "Show the contents of the journal, or write them to their places",
      run);
  options->add_device(command);
  CLI::Option* const in_place =
      command->add_flag("--in-place", options->in_place, "Replay the journal and close the device");
  CLI::Option* const output = command->add_option(
      "--output", options->output, "Replay the journal in a copy of FILE, this new file");
  output->type_name("FILE")->excludes(in_place);
  command
      ->add_option("--data-output", options->data_output,
                   "With --output: new file for the copy of --data-device")
      ->type_name("FILE")
      ->needs(output);
  options->add_algorithms(command);
  options->add_tuning(command);
  options->add_mode(command);
  options->add_legacy_recalculate(command);
  command->add_flag("--json", options->json, "Print the result as JSON");
}

}  // namespace intact::cli
