#include <memory>
#include <string>
#include <vector>

#include <intact/base/file.h>
#include <intact/base/grown_files.h>
#include <intact/block/device_files.h>
#include <intact/console/output.h>
#include <intact/console/progress.h>
#include <intact/erofs/damaged_files.h>
#include <intact/json/json.h>
#include <intact/report/verity.h>
#include <intact/verity/manage.h>

#include "command.h"
#include "verity_options.h"

namespace intact::cli {
namespace {

using block::Access;

struct Options : VerityOptions {
  std::string output;
  bool json = false;
};

/// A volume, and what the user calls its files.
struct Volume {
  verity::Layout layout;
  verity::Devices devices;
  std::string data;
  std::string hash;
};

/// `copy`: takes the place of the data in the file --output, if it is not null.
Result<Volume> open_volume(const Options& options, Access access, const dm::File& copy = {}) {
  const bool hash_is_copied = copy && same_file(options.hash_device, options.data);
  Volume volume{.data = copy ? options.output : options.data,
                .hash = hash_is_copied ? options.output : options.hash_device};
  volume.devices = TRY(verity::open_files(
      {.data = options.data, .hash = options.hash_device, .fec = options.fec_device}, access,
      copy));
  volume.layout = TRY(options.stored_layout(*volume.devices.hash, *volume.devices.data)).layout;
  TRY(verity::hash_area_offset(volume.layout));
  return volume;
}

Result<std::shared_ptr<const verity::VerityTarget>> open_target(const Volume& volume,
                                                                ByteSpan root) {
  return std::shared_ptr<const verity::VerityTarget>(TRY(
      verity::open(volume.layout, volume.devices, root, {.cache_size = verity::kScanCacheSize})));
}

/// The files that damage concerns, for each damage, if the data is an EROFS that we can read.
erofs::DamagedFiles files_of(const std::vector<Damage>& damaged,
                             const std::shared_ptr<const verity::VerityTarget>& target) {
  auto found = erofs::files_of(target, damaged, "data");
  if (found) return *std::move(found);
  warn("cannot name the damaged files: " + found.error().message());
  erofs::DamagedFiles none;
  none.in_range.resize(damaged.size());
  return none;
}

/// `outcome` as text, or as JSON in UTF-8.
template <typename Outcome>
void print_outcome(bool as_json, const Outcome& outcome) {
  print_text(as_json ? to_text(report::to_json(outcome)) + "\n" : report::to_text(outcome));
}

Result<int> verify(const Options& options) {
  const Bytes root = TRY(options.root());
  const Volume volume = TRY(open_volume(options, Access::read_only));
  const auto target = TRY(open_target(volume, root));
  std::vector<Damage> damaged = TRY([&] {
    ProgressLine line;
    return target->scan(0, progress_on(line, "Verifying"));
  }());
  auto files = files_of(damaged, target);
  const report::VerityCheck check{.data = options.data,
                                  .hash = volume.hash,
                                  .geometry = TRY(verity::Geometry::create(volume.layout.params)),
                                  .has_fec = volume.layout.fec.has_value(),
                                  .damaged = std::move(damaged),
                                  .files = std::move(files)};
  print_outcome(options.json, check);
  return check.damaged.empty() ? 0 : 3;
}

/// A copy of the data in the new file --output; null without the option.
Result<dm::File> copy_data(const Options& options, GrownFiles& made) {
  if (options.output.empty()) return dm::File();
  if (same_file(options.output, options.data) || same_file(options.output, options.hash_device) ||
      same_file(options.output, options.fec_device))
    return wrong("--output: must be a new file; omit it to repair in place");
  const auto from = TRY(block::FileDevice::open(options.data, Access::read_only));
  ProgressLine line;
  return block::copy_into_new(made, options.output, *from, progress_on(line, "Copying"));
}

Result<int> repair(const Options& options) {
  if (options.fec_device.empty())
    return wrong("--fec-device: required; repair needs error correction data");
  const Bytes root = TRY(options.root());
  GrownFiles made;
  const dm::File copy = TRY(copy_data(options, made));
  const Volume volume = TRY(open_volume(options, Access::read_write, copy));
  report::VerityRepair result{.data = volume.data, .hash = volume.hash, .done = {}, .files = {}};
  result.done = TRY([&] {
    ProgressLine line;
    return verity::repair(volume.layout, volume.devices, root, 0, progress_on(line, "Repairing"));
  }());
  TRY(made.publish());
  made.keep();
  const std::vector<Damage>& lost = result.done.lost;
  if (!lost.empty()) result.files = files_of(lost, TRY(open_target(volume, root)));
  print_outcome(options.json, result);
  return lost.empty() ? 0 : 3;
}

}  // namespace

void add_verity_check_commands(Program& program, CLI::App* group) {
  const auto add = [&](const char* name, const char* description,
                       Result<int> (*action)(const Options&)) {
    const auto [command, options] =
        add_verity_command<Options>(program, group, name, description, action);
    options->add_devices(command, true);
    options->add_signature(command);
    options->add_format(command);
    options->add_placement(command);
    return std::pair(command, options);
  };
  add("verify", "Check a whole volume against its root hash", verify);
  const auto [command, options] = add("repair", "Repair damage with error correction data", repair);
  command->add_option("--output", options->output, "Write a repaired copy of DATA to this new file")
      ->type_name("FILE");
}

}  // namespace intact::cli
