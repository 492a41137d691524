#include <vector>

#include <intact/base/file.h>
#include <intact/integrity/dm_target.h>
#include <intact/integrity/manage.h>
#include <intact/kernel/device_mapper.h>

#include "../front_end.h"
#include "command.h"
#include "integrity_commands.h"

namespace intact::cli {
namespace {

constexpr std::uint64_t kMaxTab = 1 << 20;  // bytes

struct Options : IntegrityOptions {
  FrontEnd front_end;
  std::vector<std::string> tab;  // a file, and a name in it
  std::string dm;                // the kernel's device, as an argument as in integritysetup

  Result<stack::Plan> plan(block::Access access) const;
  Result<void> map(const std::string& name) const;
};

Result<stack::Plan> Options::plan(block::Access access) const {
  // Recovery is read-only.
  auto files = TRY(open_files(recovery_mode ? block::Access::read_only : access));
  stack::Plan plan{.name = device, .file = files.data};
  const integrity::Params params = TRY(this->params(files.devices()));
  plan.add(TRY(
      integrity::make_table({.params = params,
                             .data = TRY(plan.top()),
                             .meta = files.meta ? TRY(plan.names.add(files.meta)) : std::string(),
                             .sectors = TRY(integrity::provided_sectors(params, files.devices()))},
                            plan.names)));
  plan.known_by = files.meta;
  return plan;
}

Result<void> Options::map(const std::string& name) const {
  if (allow_discards && integrity.keyed())
    warn("the kernel returns blocks that are marked as discarded without a check, despite the key");
  stack::Plan plan = TRY(this->plan(front_end.access()));
  return kernel::create_device_stack(name, plan);
}

/// What a line of an integritytab says counts more than the options.
void apply(const integrity::TabEntry& entry, IntegrityOptions& options) {
  options.device = entry.device;
  if (!entry.data_device.empty()) options.data_device = entry.data_device;
  if (!entry.key_file.empty()) options.integrity.key_file = entry.key_file;
  if (!entry.algorithm.empty()) options.integrity.name = entry.algorithm;
  entry.apply_to(options);
}

/// The options together with those in the line of the integritytab.
Result<Options> complete(const Options& options) {
  Options actual = options;
  if (actual.tab.empty() == actual.device.empty())
    return wrong("nothing to open: pass either FILE or --tab FILE NAME");
  if (!actual.tab.empty()) {
    const Bytes tab = TRY(read_file(actual.tab[0], kMaxTab));
    apply(TRY(integrity::parse_tab(as_text(tab), actual.tab[1]).context(actual.tab[0])), actual);
  }
  if (!actual.dm.empty() && actual.front_end.chosen())
    return wrong(
        "FILE DEVICE creates a device-mapper device and cannot be combined with --fuse, "
        "--nbd, --to or --dm");
  if (!actual.dm.empty()) actual.front_end.set_dm(actual.dm);
  return actual;
}

Result<int> open(const Options& given) {
  const Options options = TRY(complete(given));
  return options.front_end.run([&options](block::Access access) { return options.plan(access); },
                               [&options](const std::string& name) { return options.map(name); });
}

}  // namespace

void add_integrity_open_command(Program& program, CLI::App* group) {
  const auto [command, options] = add_integrity_command<Options>(
      program, group, "open", "Open a device for reading and writing, with every read checked",
      open);
  options->add_device(command, false);
  command->add_option("DEVICE", options->dm, "Let the kernel open it, as with --dm DEVICE")
      ->type_name("DEVICE");
  options->front_end.add_options(command, {.writable = true, .dm = true});
  command
      ->add_option("--tab", options->tab,
                   "Take FILE and options from the line NAME of a file like /etc/integritytab")
      ->type_name("FILE NAME")
      ->expected(2)
      ->allow_extra_args(false);
  options->add_algorithms(command);
  options->add_tuning(command);
  options->add_mode(command);
  options->add_opening(command);
}

}  // namespace intact::cli
