#include <algorithm>

#include <fmt/format.h>

#include <intact/json/json.h>

#include "command.h"
#include "integrity_commands.h"

namespace intact::cli {
namespace {

using integrity::IntegrityTarget;

struct Options : IntegrityCommand {
  bool reset = false;
};

Result<int> recalculate(const Options& given) {
  Options options = given;
  options.recalculate = true;
  options.recalculate_reset = options.reset;
  const auto files = TRY(options.open_files(block::Access::read_write));
  const auto params = TRY(options.params(files.devices()));
  // With --reset the hash may change. Otherwise tags must not be replaced by those of a wrong key,
  // which could not be told from right ones afterwards. Nothing is served by this look.
  if (!options.reset) {
    integrity::Params as_it_is = params;
    as_it_is.recalculate = false;
    as_it_is.legacy_recalculate = true;
    TRY(IntegrityTarget::open(as_it_is, files.devices(), {.read_only = true, .background = false})
            .context(options.device + " (--reset recalculates all tags)"));
  }
  const auto target =
      TRY(IntegrityTarget::open(params, files.devices(), {.check_key = false, .background = false})
              .context(options.device));
  const std::uint64_t total = target->size();
  {
    StepProgress line(options.progress, options.device);
    TRY(target
            ->recalculate([&](std::uint64_t sector) {
              // The end is shown once.
              const std::uint64_t done = sector * integrity::kSectorSize;
              if (done < total) line.show("Recalculating", done, total);
              return true;
            })
            .context(options.device));
    line.show("Recalculating", total, total);
  }
  TRY(target->close().context(options.device));
  if (options.json)
    print("{}\n", to_text(Json{{"ok", true},
                               {"device", options.device},
                               {"sectors", total / integrity::kSectorSize}}));
  else
    print("The tags of {} match its data: {} sectors\n", options.device,
          total / integrity::kSectorSize);
  return 0;
}

}  // namespace

void add_integrity_recalculate_command(Program& program, CLI::App* group) {
  const auto [command, options] = add_integrity_command<Options>(
      program, group, "recalculate", "Calculate missing tags, or all of them if none are missing",
      recalculate);
  options->add_device(command);
  command->add_flag("--reset", options->reset, "Calculate all tags again");
  options->add_algorithms(command);
  options->add_legacy_recalculate(command);
  options->add_tuning(command);
  options->add_mode(command);
  options->add_progress(command);
  command->add_flag("--json", options->json, "Print the result as JSON");
}

}  // namespace intact::cli
