#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <intact/base/file.h>
#include <intact/base/grown_files.h>
#include <intact/base/text.h>
#include <intact/base/visible.h>
#include <intact/block/device_files.h>
#include <intact/console/progress.h>
#include <intact/erofs/damaged_files.h>
#include <intact/json/json.h>
#include <intact/verity/manage.h>

#include "command.h"
#include "verity_options.h"

namespace intact::cli {
namespace {

using block::Access;
using verity::Area;

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
  block::DeviceFiles files(access);
  const auto is_copied = [&](const std::string& path) {
    return copy && same_file(path, options.data);
  };
  const auto open = [&](const std::string& path) -> Result<dm::File> {
    if (is_copied(path)) return copy;
    return files.open(path);
  };
  Volume volume{.data = copy ? options.output : options.data,
                .hash = is_copied(options.hash_device) ? options.output : options.hash_device};
  volume.devices.data = TRY(open(options.data));
  volume.devices.hash = TRY(open(options.hash_device));
  if (!options.fec_device.empty()) volume.devices.fec = TRY(open(options.fec_device));
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
  std::vector<erofs::ByteRange> ranges;
  std::vector<std::size_t> places;  // of the ranges in `damaged`
  for (std::size_t i = 0; i < damaged.size(); ++i) {
    if (verity::area_of(damaged[i]) != Area::data) continue;
    ranges.push_back({.offset = damaged[i].range->offset, .length = damaged[i].range->bytes});
    places.push_back(i);
  }
  erofs::DamagedFiles files;
  files.in_range.resize(damaged.size());
  if (ranges.empty()) return files;
  auto found = erofs::files_in(target, ranges);
  if (!found) {
    warn("cannot name the damaged files: " + found.error().message());
    return files;
  }
  for (std::size_t i = 0; i < places.size(); ++i)
    files.in_range[places[i]] = std::move(found->in_range[i]);
  files.not_looked_into = std::move(found->not_looked_into);
  return files;
}

/// `files`: for each damage the files that it concerns; null if nobody has looked.
Json to_json(const std::vector<Damage>& list, const Volume& volume,
             const erofs::DamagedFiles* files) {
  Json damaged = Json::array();
  for (std::size_t i = 0; i < list.size(); ++i) {
    const bool is_data = verity::area_of(list[i]) == Area::data;
    damaged.push_back({{"object", is_data ? volume.data : volume.hash},
                       {"area", list[i].object},
                       {"block", list[i].range->first},
                       {"blocks", list[i].range->count},
                       {"offset", list[i].range->offset},
                       {"reason", list[i].reason},
                       {"correctable", list[i].correctable}});
    if (files != nullptr) damaged.back()["files"] = files->in_range[i];
  }
  return damaged;
}

/// "  in PATH" and the like, a line each.
void print_paths(std::string_view relation, const std::vector<std::string>& paths) {
  constexpr std::size_t kMax = 10;  // a block of metadata may affect many files
  for (std::size_t i = 0; i < std::min(paths.size(), kMax); ++i)
    print("{} {}\n", relation, visible(paths[i]));
  if (paths.size() > kMax) print("{} {} more\n", relation, paths.size() - kMax);
}

/// A line for each damage, which `note` ends, and the files.
void print_damage(const char* word, const std::vector<Damage>& list,
                  const erofs::DamagedFiles& files, const char* (*note)(const Damage&)) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    print("{} {}: {}{}\n", word, verity::place_of(list[i]), list[i].reason, note(list[i]));
    print_paths("  in", files.in_range[i]);
  }
  print_paths("not checked (unsupported layout):", files.not_looked_into);
}

const char* no_note(const Damage&) {
  return "";
}
const char* note_of_fec(const Damage& damage) {
  return damage.correctable ? "; FEC can correct it" : "; FEC cannot correct it";
}

Result<int> verify(const Options& options) {
  const Bytes root = TRY(options.root());
  const Volume volume = TRY(open_volume(options, Access::read_only));
  const auto target = TRY(open_target(volume, root));
  const std::vector<Damage> damaged = TRY([&] {
    ProgressLine line;
    return target->scan(0, progress_on(line, "Verifying"));
  }());
  const auto files = files_of(damaged, target);
  const auto geometry = TRY(verity::Geometry::create(volume.layout.params));
  if (options.json) {
    print("{}\n", to_text(Json{{"ok", damaged.empty()},
                               {"checked",
                                {{"data_blocks", geometry.data_blocks()},
                                 {"hash_blocks", geometry.hash_blocks()},
                                 {"bytes", geometry.data_size() + geometry.hash_size()}}},
                               {"damaged", to_json(damaged, volume, &files)},
                               {"not_looked_into", files.not_looked_into}}));
    return damaged.empty() ? 0 : 3;
  }
  print_damage("DAMAGED", damaged, files, volume.layout.fec ? note_of_fec : no_note);
  if (damaged.empty())
    print("{} is intact: {} data blocks and {} hash blocks checked\n", visible(options.data),
          geometry.data_blocks(), geometry.hash_blocks());
  else
    print("{} is damaged in {}{}\n", visible(options.data), counted(damaged.size(), "place"),
          std::ranges::all_of(damaged, &Damage::correctable)
              ? "; `intact verity repair` can correct all of it"
              : "");
  return damaged.empty() ? 0 : 3;
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
  const verity::RepairReport done = TRY([&] {
    ProgressLine line;
    return verity::repair(volume.layout, volume.devices, root, 0, progress_on(line, "Repairing"));
  }());
  TRY(made.publish());
  made.keep();
  erofs::DamagedFiles files;
  if (!done.lost.empty()) files = files_of(done.lost, TRY(open_target(volume, root)));
  if (options.json) {
    print("{}\n", to_text(Json{{"ok", done.lost.empty()},
                               {"repaired", to_json(done.repaired, volume, nullptr)},
                               {"damaged", to_json(done.lost, volume, &files)},
                               {"not_looked_into", files.not_looked_into}}));
    return done.lost.empty() ? 0 : 3;
  }
  for (const Damage& damage : done.repaired) print("repaired {}\n", verity::place_of(damage));
  print_damage("LOST", done.lost, files, no_note);
  if (!done.lost.empty())
    print("{} is still damaged: FEC cannot correct what is lost\n", visible(volume.data));
  else if (done.repaired.empty())
    print("{} is intact: nothing to repair\n", visible(volume.data));
  else
    print("{} is repaired\n", visible(volume.data));
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
