#include <intact/console/output.h>
#include <intact/integrity/manage.h>
#include <intact/report/integrity.h>

#include "command.h"
#include "integrity_commands.h"

namespace intact::cli {
namespace {

struct Options : IntegrityCommand {
  bool reset = false;
};

Result<int> recalculate(const Options& given) {
  Options options = given;
  options.recalculate_reset = options.reset;
  const auto files = TRY(options.open_files(block::Access::read_write));
  const auto params = TRY(options.params(files.devices()));
  // With --reset the hash may change.
  if (!options.reset) {
    const auto sample = TRY(integrity::check_recalculate(params, files.devices())
                                .context(options.device + " (--reset recalculates all tags)"));
    if (const std::string text = report::to_text(sample, options.device); !text.empty()) warn(text);
  }
  const auto done = TRY([&] {
    StepProgress line(options.progress, options.device);
    return integrity::recalculate(params, files.devices(),
                                  [&line](std::uint64_t position, std::uint64_t total) {
                                    line.show("Recalculating", position, total);
                                  });
  }()
                            .context(options.device));
  print_result(options.json, report::to_json(done, options.device),
               report::to_text(done, options.device));
  return 0;
}

}  // namespace

void add_integrity_recalculate_command(Program& program, CLI::App* group) {
  const auto [command, options] = add_integrity_command<Options>(
      program, group, "recalculate",
      "Calculate missing tags, or without a key all of them if none are missing", recalculate);
  options->add_device(command);
  command->add_flag("--reset,--integrity-recalculate-reset", options->reset,
                    "Calculate all tags again: trusts the data as they are, which nothing verifies "
                    "before");
  options->add_algorithms(command);
  options->add_legacy_recalculate(command);
  options->add_tuning(command);
  options->add_mode(command);
  options->add_progress(command);
  command->add_flag("--json", options->json, "Print the result as JSON");
}

}  // namespace intact::cli
