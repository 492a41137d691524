#include <vector>

#include <intact/base/file.h>

#include "../front_end.h"
#include "../integrity_tab.h"
#include "integrity_commands.h"

namespace intact::cli {
namespace {

constexpr std::uint64_t kMaxTab = 1 << 20;  // bytes

struct Options : IntegrityOptions {
  FrontEnd front_end;
  std::vector<std::string> tab;  // a file, and a name in it
};

/// The options with what the line in integritytab says.
Result<Options> complete(const Options& options) {
  Options actual = options;
  if (actual.tab.empty() == actual.device.empty())
    return Error(ErrorKind::invalid_argument, "say what to open: FILE, or --tab FILE NAME");
  if (!actual.tab.empty())
    TRY(apply_integrity_tab(as_text(TRY(read_file(actual.tab[0], kMaxTab))), actual.tab[1], actual)
            .context(actual.tab[0]));
  return actual;
}

Result<int> open(const Options& given) {
  const Options options = TRY(complete(given));
  return options.front_end.run([&options](block::Access access) -> Result<stack::Volume> {
    // Nothing can be written in recovery.
    auto files = TRY(options.open_files(options.recovery_mode ? block::Access::read_only : access));
    stack::IntegrityVolume volume;
    volume.params = TRY(options.params(files.devices()));
    volume.data = std::move(files.data);
    volume.meta = std::move(files.meta);
    return stack::Volume{.name = options.device, .layer = std::move(volume)};
  });
}

}  // namespace

void add_integrity_open_command(Program& program, CLI::App* group) {
  const auto [command, options] = add_integrity_command<Options>(
      program, group, "open", "Give out the data, every read checked, and take writes", open);
  options->add_device(command, false);
  options->front_end.add_options(command, {.writable = true});
  command
      ->add_option("--tab", options->tab,
                   "Take FILE and options from the line NAME of a file like /etc/integritytab")
      ->type_name("FILE NAME")
      ->expected(2);
  options->add_algorithms(command);
  options->add_tuning(command);
  options->add_mode(command);
  options->add_opening(command);
}

}  // namespace intact::cli
