#include <fmt/format.h>

#include <intact/base/file.h>
#include <intact/base/grown_files.h>
#include <intact/base/text.h>
#include <intact/block/device_files.h>
#include <intact/console/progress.h>
#include <intact/integrity/inspect.h>
#include <intact/integrity/manage.h>
#include <intact/json/json.h>

#include "command.h"
#include "integrity_commands.h"

namespace intact::cli {
namespace {

using integrity::JournalReport;
using State = JournalReport::Entry::State;

struct Options : IntegrityCommand {
  bool in_place = false;
  std::string output;
  std::string data_output;
};

// --- what a replay would do ---------------------------------------------------------------------

void print_json(const JournalReport& report) {
  Json entries = Json::array();
  for (const auto& entry : report.entries)
    entries.push_back({{"section", entry.section},
                       {"entry", entry.index},
                       {"sector", entry.sector},
                       {"state", integrity::name_of(entry.state)}});
  Json json = {{"ok", report.refused.empty()},          {"sections", report.sections},
               {"first_section", report.first_section}, {"valid_sections", report.valid_sections},
               {"used_entries", report.used_entries},   {"entries", entries},
               {"holds_bitmap", report.holds_bitmap}};
  if (report.holds_bitmap) {
    json["dirty_regions"] = report.dirty_regions;
    json["sectors_per_region"] = report.sectors_per_region;
  }
  if (!report.refused.empty()) json["reason"] = report.refused;
  print("{}\n", to_text(json));
}

void print_text(const Options& options, const JournalReport& report) {
  if (report.holds_bitmap) {
    print("{} has no journal: it was not closed in bitmap mode, with {} of {} marked\n",
          options.device, counted(report.dirty_regions, "region"),
          counted(report.sectors_per_region, "sector"));
    if (!report.refused.empty()) print("{}\n", report.refused);
    return;
  }
  print("journal:  {}, {} valid starting at section {}\n", counted(report.sections, "section"),
        report.valid_sections, report.first_section);
  for (const auto& entry : report.entries)
    print("section {} entry {}: sector {}{}{}\n", entry.section, entry.index, entry.sector,
          entry.state == State::replayed ? "" : ": ",
          entry.state == State::replayed ? "" : integrity::name_of(entry.state));
  if (!report.refused.empty())
    print("The journal would not be replayed: {}\n", report.refused);
  else if (report.used_entries == 0)
    print("There is nothing to replay\n");
  else
    print(
        "{} would be written to their places; nothing was written (pass --in-place or --output)\n",
        counted(report.count(State::replayed), "block"));
}

Result<int> show(const Options& options) {
  const auto files = TRY(options.open_files(block::Access::read_only));
  const auto params = TRY(options.params(files.devices()));
  const auto report =
      TRY(integrity::report_journal(params, files.devices()).context(options.device));
  if (options.json)
    print_json(report);
  else
    print_text(options, report);
  return report.refused.empty() ? 0 : 3;
}

// --- a replay -----------------------------------------------------------------------------------

void print_done(const std::string& device, const integrity::Replayed& done, bool json) {
  if (json) {
    print("{}\n", to_text(Json{{"ok", true},
                               {"device", device},
                               {"replayed_sections", done.sections},
                               {"replayed_blocks", done.blocks},
                               {"retagged_sectors", done.retagged_sectors},
                               {"recalculating", done.first_without_tag.has_value()}}));
    return;
  }
  if (done.retagged_sectors != 0)
    print("{} got new tags for data that nothing has verified; {} is clean\n",
          counted(done.retagged_sectors, "sector"), device);
  else
    print("Replayed {} of {}; {} is clean\n", counted(done.blocks, "block"),
          counted(done.sections, "section"), device);
  // What a crash in bitmap mode leaves is calculated by the next server, or by a command.
  if (done.first_without_tag)
    print("The tags from sector {} on are not calculated yet; run `intact integrity recalculate`\n",
          *done.first_without_tag);
}

Result<int> replay_in_place(const Options& options) {
  const auto files = TRY(options.open_files(block::Access::read_write));
  const auto params = TRY(options.params(files.devices()));
  print_done(options.device,
             TRY(integrity::replay(params, files.devices()).context(options.device)), options.json);
  return 0;
}

Result<dm::File> make_copy(const block::Device& source, const std::string& path, GrownFiles& made) {
  ProgressLine line;
  return block::copy_into_new(made, path, source, progress_on(line, "Copying"));
}

Result<int> replay_into_copy(const Options& options) {
  if (options.data_device.empty() != options.data_output.empty())
    return Error(ErrorKind::invalid_argument,
                 "--data-output is the copy of --data-device: pass both or neither");
  GrownFiles made;
  integrity::Params params;  // a key from a descriptor can be read only once
  IntegrityOptions::Files copies;
  {
    const auto files = TRY(options.open_files(block::Access::read_only));
    params = TRY(options.params(files.devices()));
    TRY(integrity::check_replay(params, files.devices()).context(options.device));
    dm::File first = TRY(make_copy(files.devices().of_meta(), options.output, made));
    if (files.meta) {
      copies.data = TRY(make_copy(*files.data, options.data_output, made));
      copies.meta = std::move(first);
    } else {
      copies.data = std::move(first);
    }
  }
  const auto done = TRY(integrity::replay(params, copies.devices()).context(options.output));
  TRY(made.publish());  // before anything is said about them
  made.keep();
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
