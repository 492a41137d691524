#include <memory>
#include <string>
#include <utility>

#include <fmt/format.h>

#include <intact/console/input_file.h>
#include <intact/crypto/pkcs7.h>
#include <intact/kernel/device_mapper.h>

#include "command.h"
#include "front_end.h"
#include "verity_options.h"

namespace intact::cli {
namespace {

struct Options : VerityOptions {
  FrontEnd front_end;
  std::string fourth;      // after DATA, HASH and ROOT
  std::string first_name;  // before DATA: of `create`
  bool ignore_corruption = false;
  bool restart_on_corruption = false;
  bool panic_on_corruption = false;
  bool ignore_zero_blocks = false;
  bool check_at_most_once = false;
  bool use_tasklets = false;

  Result<void> read_places();
  Reading reading(Bytes trusted) const;
  Result<void> map(const std::string& name) const;
};

/// Without a front end DATA is followed by a name, as for veritysetup: DATA NAME HASH ROOT.
Result<void> Options::read_places() {
  if (!first_name.empty()) {
    if (front_end.chosen())
      return wrong("create: only for device-mapper devices; use `intact verity open`");
    front_end.set_dm(std::move(first_name));
    return {};
  }
  const bool has_name = !front_end.chosen() && !root_hash.empty();
  if (!has_name && !fourth.empty())
    return wrong("NAME: only for device-mapper devices; omit it with --fuse, --nbd, --to or --dm");
  if (!has_name) return {};
  // DATA HASH ROOT without a front end: what is missing is that, which FrontEnd::run() says.
  if (fourth.empty() && root_hash_file.empty() && verity::parse_root_hash(root_hash)) return {};
  front_end.set_dm(std::exchange(hash_device, std::exchange(root_hash, std::move(fourth))));
  return {};
}

/// How to read it.
VerityOptions::Reading Options::reading(Bytes trusted) const {
  Reading reading{.root = std::move(trusted)};
  const auto flag = [&reading](bool set, const char* word) {
    if (set) reading.flags.emplace_back(word);
  };
  flag(ignore_corruption, "ignore_corruption");
  flag(restart_on_corruption, "restart_on_corruption");
  flag(panic_on_corruption, "panic_on_corruption");
  flag(ignore_zero_blocks, "ignore_zero_blocks");
  flag(check_at_most_once, "check_at_most_once");
  flag(use_tasklets, "try_verify_in_tasklet");
  return reading;
}

Result<void> Options::map(const std::string& name) const {
  Reading reading = this->reading(TRY(root_for_kernel()));
  if (!signature.empty())
    reading.signature_key = [&](const std::string& volume_uuid) -> Result<std::string> {
      // As veritysetup names it.
      const std::string key =
          fmt::format("cryptsetup:{}{}{}", volume_uuid, volume_uuid.empty() ? "" : "-", name);
      TRY(kernel::pass_signature(key, TRY(read_input(signature, crypto::kMaxPkcs7Size))));
      return key;
    };
  stack::Plan plan = TRY(this->plan(std::move(reading)));
  return kernel::create_device_stack(name, plan);
}

Result<int> open(Options& options) {
  TRY(options.read_places());
  if (options.ignore_corruption) warn("--ignore-corruption: damaged blocks are returned unchecked");
  return options.front_end.run(
      [&options](block::Access) -> Result<stack::Plan> {
        if (options.use_tasklets)
          return wrong("--use-tasklets: only for device-mapper devices; pass --dm NAME");
        return options.plan(options.reading(TRY(options.root())));
      },
      [&options](const std::string& name) { return options.map(name); });
}

/// All options but the files.
void add_open_options(Program& program, CLI::App* command,
                      const std::shared_ptr<Options>& options) {
  options->add_talk(command);
  options->front_end.add_options(command, {.dm = true});
  options->add_signature(command, true);
  CLI::Option* const ignore = command->add_flag("--ignore-corruption", options->ignore_corruption,
                                                "Return damaged blocks as they are, and log them");
  CLI::Option* const restart =
      command->add_flag("--restart-on-corruption", options->restart_on_corruption,
                        "Stop at the first damage; no later read succeeds");
  CLI::Option* const panic = command->add_flag(
      "--panic-on-corruption", options->panic_on_corruption, "The same as --restart-on-corruption");
  restart->excludes(ignore);
  panic->excludes(ignore);
  command->add_flag("--ignore-zero-blocks", options->ignore_zero_blocks,
                    "Return zeros for blocks that must be zero, without reading them");
  command->add_flag("--check-at-most-once", options->check_at_most_once,
                    "Check each data block only the first time it is read");
  command->add_flag("--use-tasklets", options->use_tasklets,
                    "With --dm: let the kernel check in the disk's interrupt context if it can");
  options->add_format(command);
  options->add_placement(command);
  program.on_chosen(command, [options] { return open(*options); });
}

}  // namespace

void add_verity_open_command(Program& program, CLI::App* group) {
  CLI::App* command = add_verity_command(
      program, group, "open", "Open a volume; every read is checked against the root hash");
  const auto options = std::make_shared<Options>();
  options->add_devices(command, true);
  // Not in the help: veritysetup's order of arguments.
  command->add_option("FOURTH", options->fourth)->group("");
  add_open_options(program, command, options);

  // Nor is this: veritysetup's old name of `open`, with the name first.
  CLI::App* create = add_verity_command(program, group, "create", "open --dm NAME");
  create->group("");
  const auto create_options = std::make_shared<Options>();
  create->add_option("NAME", create_options->first_name)->required();
  create_options->add_devices(create, true);
  add_open_options(program, create, create_options);
}

}  // namespace intact::cli
