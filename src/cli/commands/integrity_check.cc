#include <fmt/format.h>

#include <intact/base/text.h>
#include <intact/integrity/inspect.h>
#include <intact/json/json.h>

#include "command.h"
#include "integrity_commands.h"

namespace intact::cli {
namespace {

using integrity::ScanReport;

void print_json(const IntegrityCommand& options, const ScanReport& report) {
  Json damaged = Json::array();
  for (const auto& damage : report.damaged)
    damaged.push_back({{"object", options.device},
                       {"sector", damage.range->first},
                       {"sectors", damage.range->count},
                       {"offset", damage.range->offset},
                       {"bytes", damage.range->bytes},
                       {"reason", damage.reason}});
  Json unprotected = Json::array();
  for (const auto& range : report.unprotected)
    unprotected.push_back({{"sector", range.sector},
                           {"sectors", range.sectors},
                           {"reason", integrity::name_of(report.why(range))}});
  print("{}\n", to_text(Json{{"ok", report.ok()},
                             {"checked",
                              {{"sectors", report.checked},
                               {"bytes", report.checked * integrity::kSectorSize},
                               {"journal_blocks", report.journal_blocks}}},
                             {"damaged", damaged},
                             {"unprotected", unprotected}}));
}

void print_text(const IntegrityCommand& options, const ScanReport& report) {
  for (const auto& damage : report.damaged)
    print("DAMAGED {}: {}\n", range_text(*damage.range, "sector"), damage.reason);
  for (const auto& range : report.unprotected)
    print("not checked: {}: {}\n", sector_range(range.sector, range.sectors),
          integrity::explanation_of(report.why(range)));
  if (report.journal_blocks != 0)
    print("{} read from the journal\n", counted(report.journal_blocks, "block"));
  if (!report.damaged.empty())
    print("{} is damaged in {}: {} of {} checked sectors are bad\n", options.device,
          counted(report.damaged.size(), "place"), report.damaged_sectors(), report.checked);
  else if (report.checked == report.sectors)
    print("{} is intact: {} of {} sectors checked\n", options.device, report.checked,
          report.sectors);
  else if (report.checked != 0)
    print("no damage found in {}: {} of {} sectors checked, {} not checked\n", options.device,
          report.checked, report.sectors, report.sectors - report.checked);
  if (!report.damaged.empty() && report.marked_regions != 0)
    print(
        "the bitmap marks {}: blocks there may be half written by a crash; "
        "`intact integrity replay --in-place --integrity-legacy-recalculate` trusts their data and "
        "gives them new tags\n",
        counted(report.marked_regions, "region"));
}

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
  if (options.json)
    print_json(options, report);
  else
    print_text(options, report);
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
