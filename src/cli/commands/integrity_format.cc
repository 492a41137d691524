#include <utility>

#include <fmt/format.h>

#include <intact/console/output.h>
#include <intact/integrity/manage.h>
#include <intact/json/json.h>

#include "command.h"
#include "integrity_commands.h"

namespace intact::cli {
namespace {

using integrity::Devices;
using integrity::Params;

struct Options : IntegrityCommand {
  bool no_wipe = false;
};

/// Refuses to overwrite existing data without --batch-mode, then clears the superblock's place.
Result<void> clear_the_way(const Options& options, const Params& params, const Devices& devices) {
  const auto occupied = TRY(integrity::find_occupied(params, devices).context(options.device));
  const auto refuse = [](const std::string& file, const char* other) {
    return Error(
        ErrorKind::exists,
        fmt::format("{}: not empty; pass --batch-mode (-q) to overwrite it{}", file, other));
  };
  if (occupied.superblock && !options.progress.quiet) return refuse(options.device, "");
  if (occupied.data && !options.progress.quiet && !options.no_wipe)
    return refuse(options.data_device, ", or --no-wipe to keep it");
  if (!occupied.superblock) return {};
  return integrity::erase_superblock(params, devices).context(options.device);
}

Result<void> wipe(const Options& options, const Params& params, const Devices& devices) {
  if (!params.internal_hash) {
    warn("no tags were written, since the device has no internal hash");
    return {};
  }
  StepProgress line(options.progress, options.device);
  return integrity::wipe(params, devices, [&line](std::uint64_t done, std::uint64_t total) {
    line.show("Wiping", done, total);
  });
}

Result<int> format(const Options& options) {
  Params params = TRY(options.given_params());
  if (!options.in_line) params.mode = integrity::Mode::journal;  // can be opened in all other modes
  const auto files = TRY(options.open_files(block::Access::read_write));
  const Devices devices = files.devices();
  params = TRY(integrity::check_format(std::move(params), devices).context(options.device));
  TRY(clear_the_way(options, params, devices));
  const auto superblock = TRY(integrity::format(params, devices).context(options.device));
  if (!options.no_wipe) TRY(wipe(options, params, devices));
  const std::string hash = params.internal_hash ? params.internal_hash->name : "none";
  print_result(options.json,
               {{"device", options.device},
                {"integrity_tag_size", superblock.tag_size},
                {"integrity", hash},
                {"provided_data_sectors", superblock.provided_data_sectors},
                {"wiped", !options.no_wipe}},
               fmt::format("Formatted with tag size {}, internal integrity {}.\n",
                           superblock.tag_size, hash));
  return 0;
}

}  // namespace

void add_integrity_format_command(Program& program, CLI::App* group) {
  const auto [command, options] = add_integrity_command<Options>(
      program, group, "format", "Create a device filled with zeros and their tags", format);
  options->add_device(command);
  options->add_algorithms(command);
  options->add_format(command);
  options->add_tuning(command);
  options->add_mode(command);
  command->add_flag("--no-wipe", options->no_wipe,
                    "Write no data and no tags: reads fail until blocks are written or tags "
                    "recalculated");
  options->add_progress(command);
  command->add_flag("--json", options->json, "Print the result as JSON");
}

}  // namespace intact::cli
