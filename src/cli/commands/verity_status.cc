#include <memory>
#include <string_view>

#include <fmt/format.h>

#include <intact/console/output.h>
#include <intact/console/peer_commands.h>
#include <intact/json/json.h>
#include <intact/report/verity.h>

#include "command.h"
#include "verity_options.h"

namespace intact::cli {
namespace {

using verity::KernelTable;

constexpr const char* kTarget = "verity";

Result<int> show_status(const std::string& name, bool json, bool debug) {
  auto found = kernel::find_mapping_of(kTarget, name);
  if (!found && found.error().kind() == ErrorKind::not_found)
    return Error(ErrorKind::not_found, fmt::format("{}{}: inactive", kernel::kMapperDirectory,
                                                   kernel::mapping_name(name)));
  const kernel::MappingState state = TRY(std::move(found));
  if (debug) tell("# {}\n", kernel::describe(state));
  const KernelTable table = TRY(KernelTable::parse(
      {.target = kTarget,
       .arguments = dm::split_words(state.mapping.lines[0].parameters.expose_text())}));
  print_result(json, report::to_json(state, table), report::to_text(state, table));
  return 0;
}

}  // namespace

void add_verity_status_command(Program& program, CLI::App* group) {
  CLI::App* command =
      add_peer_command(program, group, "status", "Show the state of a device-mapper device");
  struct Options {
    std::string name;
    bool json = false;
    bool debug = false;
  };
  const auto options = std::make_shared<Options>();
  command->add_option("DEVICE", options->name, "Name of the device, with or without /dev/mapper/")
      ->required();
  command->add_flag("--json", options->json, "Print the result as JSON");
  command->add_flag("--debug", options->debug, "Print details of the device on stderr");
  program.on_chosen(
      command, [options] { return show_status(options->name, options->json, options->debug); });
}

}  // namespace intact::cli
