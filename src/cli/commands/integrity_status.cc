#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/integrity/dm_target.h>
#include <intact/integrity/inspect.h>
#include <intact/json/json.h>
#include <intact/service/status_server.h>

#include "../kernel_mapping.h"
#include "command.h"
#include "integrity_commands.h"

namespace intact::cli {
namespace {

using integrity::Superblock;

/// Who uses a file.
struct Use {
  bool locked = false;        // somebody writes to it
  std::vector<Json> servers;  // the counts of each of its servers, layer by layer

  bool active() const { return locked || !servers.empty(); }
};

/// Adds a row for each layer of a server: its counts, the server's process and its user, which is
/// what the server cannot choose. Text in another form is not from our servers and ignored.
void add_layers(const std::string& answer, uid_t user, std::vector<Json>& rows) {
  const auto server = parse_json(answer);
  if (!server) return;
  const auto layers = optional_array(*server, "layers");
  if (!layers || *layers == nullptr) return;
  for (const Json& layer : **layers) {
    if (!layer.is_object()) continue;
    rows.push_back({{"pid", server->value("pid", Json())}});
    rows.back().update(layer);
    rows.back()["user"] = user;
  }
}

Result<Use> use_of(int fd) {
  struct stat st;
  if (::fstat(fd, &st) != 0) return Error::from_errno("fstat", errno);
  Use use;
  use.locked = ::flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  for (const uid_t user : std::set{::geteuid(), st.st_uid})
    for (const std::string& text : service::ask_status_servers(user, fd))
      add_layers(text, user, use.servers);
  return use;
}

// --- files --------------------------------------------------------------------------------------

std::string text_of(const Json& server, const char* key) {
  const auto found = server.find(key);
  return found == server.end() || found->is_null() ? "-" : to_text(*found);
}

/// Another user's server may claim anything.
std::string owner_of(const Json& server) {
  const auto user = server.at("user").get<uid_t>();
  return user == ::geteuid() ? "" : fmt::format(" of user {}", user);
}

void print_server(const Json& server) {
  if (text_of(server, "format") == "\"verity\"") {
    print("    verity on it: {} blocks verified, {} reads of damaged blocks, {} reads corrected\n",
          text_of(server, "verified"), text_of(server, "corrupted"), text_of(server, "corrected"));
    return;
  }
  print("  server:  process {}{}, {}\n", text_of(server, "pid"), owner_of(server),
        text_of(server, "writable") == "true" ? "read/write" : "readonly");
  print("    failures: {}\n", text_of(server, "mismatches"));
  print("    size:     {} sectors\n", text_of(server, "provided_data_sectors"));
  print("    recalculated: {}\n", text_of(server, "recalc_sector"));
  print("    replayed: {} blocks\n", text_of(server, "replayed_blocks"));
  if (const std::string failure = text_of(server, "failure"); failure != "-")
    print("    failed, refuses all requests: {}\n", failure);
}

Result<int> file_status(const IntegrityCommand& options) {
  // Opened once: superblock and users are those of the same file.
  const auto file = TRY(open_unlocked(options.device));
  const Superblock superblock =
      TRY(integrity::superblock_at(*file, options.start).context(options.device));
  const Use use = TRY(use_of(file->fd()));
  const std::uint64_t journal = TRY(integrity::journal_size(superblock));
  const std::uint64_t interleave = superblock.interleave_sectors();
  const bool dirty = superblock.has(Superblock::dirty_bitmap);
  const bool recalculating = superblock.lacks_tags();
  if (options.json) {
    print("{}\n", to_text(Json{{"device", options.device},
                               {"active", use.active()},
                               {"tag_size", superblock.tag_size},
                               {"sector_size", superblock.block_size()},
                               {"interleave_sectors", interleave},
                               {"sectors", superblock.provided_data_sectors},
                               {"journal_bytes", journal},
                               {"dirty_bitmap", dirty},
                               {"recalculating", recalculating},
                               {"recalc_sector", superblock.recalc_sector},
                               {"servers", use.servers}}));
    return 0;
  }
  print("{} is {}.\n", options.device, use.active() ? "active" : "inactive");
  print("  type:    INTEGRITY\n");
  print("  tag size: {}\n", superblock.tag_size);
  print("  device:  {}\n", options.device);
  print("  sector size:  {} bytes\n", superblock.block_size());
  if (interleave != 0) print("  interleave sectors: {}\n", interleave);
  print("  size:    {} sectors\n", superblock.provided_data_sectors);
  print("  journal size: {} bytes\n", journal);
  if (dirty) print("  bitmap:  in use{}\n", use.active() ? "" : ", not closed");
  if (recalculating) print("  recalculated: {} sectors\n", superblock.recalc_sector);
  for (const Json& server : use.servers) print_server(server);
  return 0;
}

// --- device-mapper devices --------------------------------------------------------------------

void print_tuning(const integrity::Params& params) {
  if (params.mode == integrity::Mode::bitmap) {
    print("  bitmap 512-byte sectors per bit: {}\n", params.sectors_per_bit);
    print("  bitmap flush interval: {} ms\n", params.bitmap_flush_interval);
  } else if (params.mode != integrity::Mode::journal) {
    print("  journal: not active\n");
  } else {
    if (params.journal_sectors)
      print("  journal size: {} bytes\n", *params.journal_sectors * integrity::kSectorSize);
    print("  journal watermark: {}%\n", params.journal_watermark);
    print("  journal commit time: {} ms\n", params.commit_time);
    if (params.journal_mac) print("  journal integrity MAC: {}\n", params.journal_mac->name);
    if (params.journal_crypt) print("  journal encryption: {}\n", params.journal_crypt->name);
  }
}

Result<int> mapping_status(const IntegrityCommand& options) {
  const std::string name = mapping_name(options.device);
  const std::string device = std::string(kMapperDirectory) + name;
  auto found = find_mapping_of("integrity", name);
  if (!found && found.error().kind() == ErrorKind::not_found && !options.json)
    print("{} is inactive.\n", device);
  const kernel::MappingState state = TRY(std::move(found));
  const auto counts = TRY(integrity::parse_status(state.status));
  const integrity::TableLine table =
      TRY(integrity::parse_table(state.mapping.lines[0].parameters.expose_text()));
  const integrity::Params& params = table.params;
  const std::string hash = params.internal_hash ? params.internal_hash->name : "(none)";
  if (options.json) {
    Json json = {{"device", device},
                 {"active", true},
                 {"open_count", state.open_count},
                 {"tag_size", params.tag_size.value_or(0)},
                 {"sector_size", params.block_size},
                 {"mode", std::string(1, static_cast<char>(params.mode))},
                 {"integrity", hash},
                 {"sectors", state.mapping.sectors()},
                 {"mismatches", counts.mismatches},
                 {"provided_data_sectors", counts.provided_data_sectors},
                 {"recalc_sector", nullptr}};
    if (counts.recalc_sector) json["recalc_sector"] = *counts.recalc_sector;
    print("{}\n", to_text(json));
    return 0;
  }
  print("{} is active{}.\n", device, state.open_count != 0 ? " and is in use" : "");
  print("  type:    INTEGRITY\n");
  print("  tag size: {}\n", params.tag_size.value_or(0));
  print("  integrity: {}\n", hash);
  const std::string& data = table.meta_device.empty() ? table.device : table.meta_device;
  print("  device:  {}\n", kernel::device_node(data));
  if (const std::string file = kernel::loop_file(data); !file.empty())
    print("  loop:    {}\n", file);
  print("  sector size:  {} bytes\n", params.block_size);
  print("  interleave sectors: {}\n", params.interleave_sectors);
  print("  size:    {} sectors\n", state.mapping.sectors());
  print("  mode:    {}\n", state.mapping.read_only ? "readonly" : "read/write");
  print("  failures: {}\n", counts.mismatches);
  if (counts.recalc_sector)
    print("  recalculated: {} of {} sectors\n", *counts.recalc_sector,
          counts.provided_data_sectors);
  print_tuning(params);
  return 0;
}

Result<int> status(const IntegrityCommand& options) {
  if (options.device.starts_with(kMapperDirectory)) return mapping_status(options);
  if (options.device.find('/') != std::string::npos || ::access(options.device.c_str(), F_OK) == 0)
    return file_status(options);
  auto done = mapping_status(options);
  if (!done && done.error().kind() == ErrorKind::unsupported)
    return Error(
        ErrorKind::not_found,
        fmt::format("{}: no such file, and the device mapper is not available", options.device));
  return done;
}

}  // namespace

void add_integrity_status_command(Program& program, CLI::App* group) {
  const auto [command, options] = add_integrity_command<IntegrityCommand>(
      program, group, "status",
      "Show whether a device is in use, its state, and the counters of its servers", status);
  command
      ->add_option("FILE", options->device, "Device or file, or the name of a device-mapper device")
      ->type_name("FILE|DEVICE")
      ->required();
  options->add_place(command);
  command->add_flag("--json", options->json, "Print the result as JSON");
}

}  // namespace intact::cli
