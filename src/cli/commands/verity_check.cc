#include "commands/verity_check.h"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include <fcntl.h>

#include <intact/base/file.h>
#include <intact/base/visible.h>
#include <intact/console/progress.h>
#include <intact/json/json.h>
#include <intact/verity/volume.h>

#include "command.h"
#include "copy_out.h"
#include "damaged_files.h"
#include "verity_files.h"
#include "verity_options.h"

namespace intact::cli {
namespace {

using block::Access;
using verity::Area;
using verity::Damage;

Error wrong(std::string message) {
  return Error(ErrorKind::invalid_argument, std::move(message));
}

struct Options : VerityOptions {
  std::string output;
  bool json = false;
};

/// `files`: for each damage the files that it concerns; empty if nobody has looked.
Json to_json(const std::vector<Damage>& list, const Options& options, const verity::Layout& layout,
             std::uint64_t hash_area, const std::vector<std::vector<std::string>>& files) {
  Json damaged = Json::array();
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Damage& damage = list[i];
    damaged.push_back({{"object", damage.area == Area::data ? options.data : options.hash_device},
                       {"area", damage.area == Area::data ? "data" : "hash"},
                       {"block", damage.block},
                       {"blocks", damage.blocks},
                       {"offset", verity::place_of(damage, layout.params, hash_area).offset},
                       {"reason", damage.reason},
                       {"correctable", damage.correctable}});
    if (!files.empty()) damaged.back()["files"] = files[i];
  }
  return damaged;
}

struct Volume {
  verity::Layout layout;
  verity::Devices devices;
  std::uint64_t hash_area;
};

/// `copy`: takes the place of the data, if it is not null.
Result<Volume> open_volume(const Options& options, Access access, const dm::File& copy = {}) {
  DeviceFiles files(access);
  const auto open = [&](const std::string& path) -> Result<dm::File> {
    if (copy && same_file(path, options.data)) return copy;
    return files.open(path);
  };
  Volume volume;
  volume.devices.data = TRY(open(options.data));
  volume.devices.hash = TRY(open(options.hash_device));
  if (!options.fec_device.empty()) volume.devices.fec = TRY(open(options.fec_device));
  volume.layout = TRY(options.stored_layout(*volume.devices.hash, *volume.devices.data)).layout;
  volume.hash_area = TRY(verity::hash_area_offset(volume.layout));
  return volume;
}

/// The files that damage concerns, for each damage, if the data is an EROFS that we can read.
DamagedFiles files_of(const std::vector<Damage>& damaged,
                      const std::shared_ptr<const verity::VerityTarget>& target) {
  std::vector<ByteRange> ranges;
  std::vector<std::size_t> places;  // of the ranges in `damaged`
  for (std::size_t i = 0; i < damaged.size(); ++i) {
    if (damaged[i].area != Area::data) continue;
    ranges.push_back({.offset = damaged[i].block * target->block_size(),
                      .length = damaged[i].blocks * target->block_size()});
    places.push_back(i);
  }
  DamagedFiles files;
  files.in_range.resize(damaged.size());
  if (ranges.empty()) return files;
  auto found = files_in(target, ranges);
  if (!found) {
    warn("cannot name the damaged files: " + found.error().message());
    return files;
  }
  for (std::size_t i = 0; i < places.size(); ++i)
    files.in_range[places[i]] = std::move(found->in_range[i]);
  files.not_looked_into = std::move(found->not_looked_into);
  return files;
}

/// "  in PATH" and the like, a line each.
void print_files(std::string_view relation, const std::vector<std::string>& paths) {
  constexpr std::size_t kMax = 10;  // a block of metadata may affect many files
  for (std::size_t i = 0; i < std::min(paths.size(), kMax); ++i)
    print("{} {}\n", relation, visible(paths[i]));
  if (paths.size() > kMax) print("{} {} more\n", relation, paths.size() - kMax);
}

void print_not_looked_into(const DamagedFiles& files) {
  print_files("not checked (unsupported layout):", files.not_looked_into);
}

Result<int> verify(const Options& options) {
  const Bytes root = TRY(options.root());
  const Volume volume = TRY(open_volume(options, Access::read_only));
  const verity::Params& params = volume.layout.params;
  const std::shared_ptr<const verity::VerityTarget> target = TRY(
      verity::open(volume.layout, volume.devices, root, {.cache_size = verity::kScanCacheSize}));
  auto list = [&] {
    ProgressLine line;
    return target->scan(0, progress_on(line, "Verifying"));
  }();
  const std::vector<Damage> damaged = TRY(std::move(list));
  const auto files = files_of(damaged, target);
  const auto geometry = TRY(verity::Geometry::create(params));
  if (options.json) {
    print("{}\n", to_text(Json{{"ok", damaged.empty()},
                               {"checked",
                                {{"data_blocks", params.data_blocks},
                                 {"hash_blocks", geometry.hash_blocks()},
                                 {"bytes", geometry.data_size() + geometry.hash_size()}}},
                               {"damaged", to_json(damaged, options, volume.layout,
                                                   volume.hash_area, files.in_range)},
                               {"not_looked_into", files.not_looked_into}}));
    return damaged.empty() ? 0 : 3;
  }
  for (std::size_t i = 0; i < damaged.size(); ++i) {
    const char* const fec = damaged[i].correctable       ? "; FEC can correct it"
                            : options.fec_device.empty() ? ""
                                                         : "; FEC cannot correct it";
    print("DAMAGED {}: {}{}\n", verity::place_of(damaged[i], params, volume.hash_area).text,
          damaged[i].reason, fec);
    print_files("  in", files.in_range[i]);
  }
  print_not_looked_into(files);
  if (damaged.empty())
    print("{} is intact: {} data blocks and {} hash blocks checked\n", visible(options.data),
          params.data_blocks, geometry.hash_blocks());
  else
    print("{} is damaged in {}{}\n", visible(options.data), counted(damaged.size(), "place"),
          std::ranges::all_of(damaged, &Damage::correctable)
              ? "; `intact verity repair` can correct all of it"
              : "");
  return damaged.empty() ? 0 : 3;
}

/// A copy of the data in the new file --output.
Result<dm::File> copy_data(const Options& options, GrownFiles& made) {
  const auto from = TRY(block::FileDevice::open(options.data, Access::read_only));
  const int to = TRY(made.create(options.output));
  TRY(copy_into(*from, to).context(options.output));
  return dm::File(TRY(block::FileDevice::create_locked(TRY(duplicate_fd(to)), Access::read_write)
                          .context(options.output)));
}

Result<int> repair(const Options& options) {
  if (options.fec_device.empty())
    return wrong("--fec-device: required; repair needs error correction data");
  const Bytes root = TRY(options.root());
  GrownFiles made;
  dm::File copy;
  if (!options.output.empty()) {
    if (same_file(options.output, options.data) || same_file(options.output, options.hash_device) ||
        same_file(options.output, options.fec_device))
      return wrong("--output: must be a new file; omit it to repair in place");
    copy = TRY(copy_data(options, made));
  }
  Options actual = options;  // the names of the files that are repaired
  if (copy) {
    if (same_file(options.data, options.hash_device)) actual.hash_device = options.output;
    if (same_file(options.data, options.fec_device)) actual.fec_device = options.output;
    actual.data = options.output;
  }
  const Volume volume = TRY(open_volume(options, Access::read_write, copy));
  auto report = [&] {
    ProgressLine line;
    return verity::repair(volume.layout, volume.devices, root, 0, progress_on(line, "Repairing"));
  }();
  const verity::RepairReport done = TRY(std::move(report));
  TRY(made.publish());
  made.keep();
  DamagedFiles files;
  if (!done.lost.empty())
    files = files_of(done.lost, TRY(verity::open(volume.layout, volume.devices, root,
                                                 {.cache_size = verity::kScanCacheSize})));
  if (options.json) {
    print("{}\n",
          to_text(Json{
              {"ok", done.lost.empty()},
              {"repaired", to_json(done.repaired, actual, volume.layout, volume.hash_area, {})},
              {"damaged",
               to_json(done.lost, actual, volume.layout, volume.hash_area, files.in_range)},
              {"not_looked_into", files.not_looked_into}}));
    return done.lost.empty() ? 0 : 3;
  }
  for (const Damage& damage : done.repaired)
    print("repaired {}\n", verity::place_of(damage, volume.layout.params, volume.hash_area).text);
  for (std::size_t i = 0; i < done.lost.size(); ++i) {
    const Damage& damage = done.lost[i];
    print("LOST {}: {}\n", verity::place_of(damage, volume.layout.params, volume.hash_area).text,
          damage.reason);
    print_files("  in", files.in_range[i]);
  }
  print_not_looked_into(files);
  if (!done.lost.empty())
    print("{} is still damaged: FEC cannot correct what is lost\n", visible(actual.data));
  else if (done.repaired.empty())
    print("{} is intact: nothing to repair\n", visible(actual.data));
  else
    print("{} is repaired\n", visible(actual.data));
  return done.lost.empty() ? 0 : 3;
}

}  // namespace

void add_verity_check_commands(Program& program, CLI::App* group) {
  const auto add = [&](const char* name, const char* description,
                       Result<int> (*action)(const Options&)) {
    CLI::App* command = add_verity_command(program, group, name, description);
    const auto options = std::make_shared<Options>();
    options->add_talk(command);
    command->add_flag("--json", options->json, "Print the result as JSON");
    options->add_devices(command, true);
    options->add_signature(command);
    options->add_format(command);
    options->add_placement(command);
    program.on_chosen(command, [options, action] { return action(*options); });
    return std::pair(command, options.get());
  };
  add("verify", "Check a whole volume against its root hash", verify);
  const auto [command, options] = add("repair", "Repair damage with error correction data", repair);
  command->add_option("--output", options->output, "Write a repaired copy of DATA to this new file")
      ->type_name("FILE");
}

}  // namespace intact::cli
