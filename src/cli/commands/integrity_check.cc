#include <fmt/format.h>

#include <intact/console/output.h>
#include <intact/integrity/inspect.h>
#include <intact/report/integrity.h>

#include "command.h"
#include "integrity_commands.h"

namespace intact::cli {
namespace {

using integrity::ScanReport;

/// A check that could check nothing must not look like a good one.
Error nothing_checked(const IntegrityCommand& options, const ScanReport& report) {
  return Error(ErrorKind::io, fmt::format("{}: no sector was checked: {}", options.device,
                                          integrity::explanation_of(report.why_unprotected)));
}

Result<int> check(const IntegrityCommand& options) {
  const auto files = TRY(options.open_files(block::Access::read_only));
  const auto params = TRY(options.params(files.devices()));
  auto scanned = [&] {
    StepProgress line(options.progress, options.device);
    return integrity::scan(
        params, files.devices(),
        [&line](std::uint64_t done, std::uint64_t total) { line.show("Checking", done, total); });
  }();
  const ScanReport report = TRY(std::move(scanned).context(options.device));
  if (report.all_damaged())
    return Error(
        ErrorKind::bad_secret,
        fmt::format("{}: every block fails its tag; probably --integrity or its key is wrong, or "
                    "no tags have been written yet",
                    options.device));
  print_result(options.json, report::to_json(report, options.device),
               report::to_text(report, options.device));
  if (report.checked == 0 && report.damaged.empty()) return nothing_checked(options, report);
  return report.damaged.empty() ? 0 : 3;
}

}  // namespace

void add_integrity_check_command(Program& program, CLI::App* group) {
  const auto [command, options] = add_integrity_command<IntegrityCommand>(
      program, group, "check", "Read a whole device and list the damage", check);
  options->add_device(command);
  options->add_algorithms(command);
  options->add_tuning(command);
  options->add_mode(command);
  options->add_opening(command);
  options->add_progress(command);
  command->add_flag("--json", options->json, "Print the result as JSON");
}

}  // namespace intact::cli
