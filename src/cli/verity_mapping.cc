#include "verity_mapping.h"

#include <memory>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <intact/console/peer_commands.h>
#include <intact/json/json.h>
#include <intact/kernel/device_mapper.h>
#include <intact/verity/dm_target.h>

#include "command.h"
#include "kernel_mapping.h"

namespace intact::cli {
namespace {

using verity::KernelTable;

constexpr const char* kTarget = "verity";

// --- status, with the field names of veritysetup ------------------------------------------------

void print_device(const char* label, const char* loop_label, const std::string& number) {
  print("  {:<12} {}\n", label, kernel::device_node(number));
  if (const std::string file = kernel::loop_file(number); !file.empty())
    print("  {:<12} {}\n", loop_label, file);
}

void print_status(const kernel::MappingState& state, const KernelTable& table) {
  const verity::Params& params = table.params;
  print("{}{} is active{}.\n", kMapperDirectory, state.mapping.name,
        state.open_count > 0 ? " and is in use" : "");
  print("  type:        VERITY\n");
  print("  status:      {}{}\n", state.status.starts_with('C') ? "corrupted" : "verified",
        table.signature_key.empty() ? "" : " (with signature)");
  print("  hash type:   {}\n", static_cast<unsigned>(params.hash_type));
  print("  data block:  {}\n", params.data_block_size);
  print("  hash block:  {}\n", params.hash_block_size);
  print("  hash name:   {}\n", params.hash);
  print("  salt:        {}\n", params.salt.empty() ? "-" : to_hex(params.salt));
  print_device("data device:", "data loop:", table.devices.data);
  print("  size:        {} sectors\n", state.mapping.sectors());
  print("  mode:        {}\n", state.mapping.read_only ? "readonly" : "read/write");
  print_device("hash device:", "hash loop:", table.devices.hash);
  print("  hash offset: {} sectors\n", table.hash_start * params.hash_block_size / dm::kSectorSize);
  if (table.fec) {
    print_device("FEC device:", "FEC loop:", table.devices.fec);
    print("  FEC offset:  {} sectors\n",
          table.fec->start * params.hash_block_size / dm::kSectorSize);
    print("  FEC roots:   {}\n", table.fec->roots);
  }
  print("  root hash:   {}\n", to_hex(table.root));
  if (!table.flags.empty()) cli::print("  flags:       {}\n", fmt::join(table.flags, " "));
}

Json json_of(const kernel::MappingState& state, const KernelTable& table) {
  Json json = {{"name", state.mapping.name},
               {"uuid", state.mapping.uuid},
               {"in_use", state.open_count > 0},
               {"ok", !state.status.starts_with('C')},
               {"hash_type", static_cast<unsigned>(table.params.hash_type)},
               {"data_block_size", table.params.data_block_size},
               {"hash_block_size", table.params.hash_block_size},
               {"data_blocks", table.params.data_blocks},
               {"hash", table.params.hash},
               {"salt", to_hex(table.params.salt)},
               {"data_device", kernel::device_node(table.devices.data)},
               {"hash_device", kernel::device_node(table.devices.hash)},
               {"hash_start", table.hash_start},
               {"root_hash", to_hex(table.root)},
               {"flags", table.flags}};
  if (table.fec)
    json["fec"] = {{"device", kernel::device_node(table.devices.fec)},
                   {"start", table.fec->start},
                   {"blocks", table.fec->blocks},
                   {"roots", table.fec->roots}};
  return json;
}

Result<int> show_status(const std::string& name, bool json, bool debug) {
  auto found = find_mapping_of(kTarget, name);
  if (!found && found.error().kind() == ErrorKind::not_found)
    return Error(ErrorKind::not_found,
                 fmt::format("{}{}: inactive", kMapperDirectory, mapping_name(name)));
  const kernel::MappingState state = TRY(std::move(found));
  if (debug) say_mapping(state);
  const KernelTable table = TRY(KernelTable::parse(
      {.target = kTarget,
       .arguments = dm::split_words(state.mapping.lines[0].parameters.expose_text())}));
  if (json)
    print("{}\n", to_text(json_of(state, table)));
  else
    print_status(state, table);
  return 0;
}

}  // namespace

void add_verity_mapping_commands(Program& program, CLI::App* group) {
  add_close_command(program, group, kTarget);
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
