#include <memory>

#include <intact/console/output.h>
#include <intact/console/peer_commands.h>
#include <intact/kernel/device_mapper.h>

#include "command.h"
#include "commands.h"

namespace intact::cli {
namespace {

struct CloseOptions {
  std::string target;
  std::string name;
  bool deferred = false;
  bool cancel_deferred = false;
  bool debug = false;
};

Result<int> close(const CloseOptions& options) {
  const kernel::MappingState state = TRY(kernel::find_mapping_of(options.target, options.name));
  if (options.debug) tell("# {}\n", kernel::describe(state));
  TRY(kernel::remove_mapping(state.mapping.name, options.deferred ? kernel::Removal::deferred
                                                 : options.cancel_deferred ? kernel::Removal::cancel
                                                                           : kernel::Removal::now));
  return 0;
}

}  // namespace

void add_close_command(Program& program, CLI::App* group, std::string_view target, bool batch) {
  for (const char* name : {"close", "remove"}) {
    CLI::App* command = add_peer_command(program, group, name, "Close a device-mapper device");
    if (name == std::string_view("remove")) command->group("");  // the peers' old name
    const auto options = std::make_shared<CloseOptions>();
    options->target = target;
    command->add_option("DEVICE", options->name, "Name of the device, with or without /dev/mapper/")
        ->required();
    CLI::Option* const deferred = command->add_flag(
        "--deferred", options->deferred, "Remove the device after its last user closes it");
    command->add_flag("--cancel-deferred", options->cancel_deferred, "Cancel a deferred close")
        ->excludes(deferred);
    command->add_flag("--debug", options->debug, "Print details of the device on stderr");
    if (batch)
      command->add_flag_callback(
          "-q,--batch-mode", [] {}, "Accepted and ignored: nothing is ever asked");
    program.on_chosen(command, [options] { return close(*options); });
  }
}

}  // namespace intact::cli
