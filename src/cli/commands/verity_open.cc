#include "commands/verity_open.h"

#include <memory>
#include <string>

#include <intact/stack/volume.h>

#include "command.h"
#include "front_end.h"
#include "verity_files.h"
#include "verity_options.h"

namespace intact::cli {
namespace {

struct Options : VerityOptions {
  FrontEnd front_end;
  bool ignore_corruption = false;
  bool restart_on_corruption = false;
  bool panic_on_corruption = false;
  bool ignore_zero_blocks = false;
  bool check_at_most_once = false;

  Result<stack::Volume> volume() const;
};

Result<stack::Volume> Options::volume() const {
  stack::VerityVolume volume;
  volume.root = TRY(root());
  DeviceFiles files(block::Access::read_only);
  volume.data = TRY(files.open(data));
  volume.hash = TRY(files.open(hash_device));
  if (!fec_device.empty()) volume.fec = TRY(files.open(fec_device));
  volume.layout = TRY(stored_layout(*volume.hash, *volume.data));
  if (ignore_corruption) volume.on_corruption = verity::OnCorruption::ignore;
  if (restart_on_corruption || panic_on_corruption)
    volume.on_corruption = verity::OnCorruption::stop;
  volume.ignore_zero_blocks = ignore_zero_blocks;
  volume.check_at_most_once = check_at_most_once;
  return stack::Volume{.name = data, .layer = std::move(volume)};
}

Result<int> open(const Options& options) {
  if (options.ignore_corruption)
    warn("--ignore-corruption: damaged blocks are given out as they are");
  return options.front_end.run([&options](block::Access) { return options.volume(); });
}

}  // namespace

void add_verity_open_command(Program& program, CLI::App* group) {
  CLI::App* command =
      program.add(*group, "open", "Give out the data, every read checked against the root hash");
  const auto options = std::make_shared<Options>();
  command->set_help_flag("--help", "Print this help and exit");  // -h is the hash function
  options->add_devices(command, true);
  options->front_end.add_options(command);
  options->add_signature(command);
  CLI::Option* const ignore =
      command->add_flag("--ignore-corruption", options->ignore_corruption,
                        "Give out damaged blocks as they are, and only log them");
  CLI::Option* const restart =
      command->add_flag("--restart-on-corruption", options->restart_on_corruption,
                        "End at the first damage; no read succeeds after it");
  CLI::Option* const panic =
      command->add_flag("--panic-on-corruption", options->panic_on_corruption, "The same");
  restart->excludes(ignore);
  panic->excludes(ignore);
  command->add_flag("--ignore-zero-blocks", options->ignore_zero_blocks,
                    "Do not read blocks that must be zero: give out zeros");
  command->add_flag("--check-at-most-once", options->check_at_most_once,
                    "Check each data block only the first time that it is read");
  options->add_format(command);
  options->add_placement(command);
  program.on_chosen(command, [options] { return open(*options); });
}

}  // namespace intact::cli
