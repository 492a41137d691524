#include <fmt/format.h>
#include <unistd.h>

#include <intact/report/integrity.h>

namespace intact::report {
namespace {

using integrity::Superblock;

/// The value in the counters of a layer; "-" if it has none.
std::string value_text(const Json& layer, const char* key) {
  const auto found = layer.find(key);
  return found == layer.end() || found->is_null() ? "-" : intact::to_text(*found);
}

/// "1 block", "2 blocks", and "- blocks" for a counter that the layer does not have.
std::string counter_text(const Json& layer, const char* key, std::string_view thing) {
  const std::string value = value_text(layer, key);
  return fmt::format("{} {}{}", value, thing, value == "1" ? "" : "s");
}

/// Another user's server may claim anything.
std::string owner_text(const Json& layer) {
  const auto user = layer.at("user").get<uid_t>();
  return user == ::geteuid() ? "" : fmt::format(" of user {}", user);
}

std::string layer_text(const Json& layer) {
  if (value_text(layer, "format") == "\"verity\"")
    return fmt::format("    verity on it: {} verified, {} of damaged blocks, {} corrected\n",
                       counter_text(layer, "verified", "block"),
                       counter_text(layer, "corrupted", "read"),
                       counter_text(layer, "corrected", "read"));
  std::string text =
      fmt::format("  server:  process {}{}, {}\n", value_text(layer, "pid"), owner_text(layer),
                  value_text(layer, "writable") == "true" ? "read/write" : "readonly");
  text += fmt::format("    failures: {}\n", value_text(layer, "mismatches"));
  text += fmt::format("    size:     {}\n", counter_text(layer, "provided_data_sectors", "sector"));
  text += fmt::format("    recalculated: {}\n", value_text(layer, "recalc_sector"));
  text += fmt::format("    replayed: {}\n", counter_text(layer, "replayed_blocks", "block"));
  if (const std::string failure = value_text(layer, "failure"); failure != "-")
    text += fmt::format("    failed, refuses all requests: {}\n", failure);
  return text;
}

std::string tuning_text(const integrity::Params& params) {
  if (params.mode == integrity::Mode::bitmap)
    return fmt::format("  bitmap 512-byte sectors per bit: {}\n  bitmap flush interval: {} ms\n",
                       params.sectors_per_bit, params.bitmap_flush_interval);
  if (params.mode != integrity::Mode::journal) return "  journal: not active\n";
  std::string text;
  if (params.journal_sectors)
    text +=
        fmt::format("  journal size: {} bytes\n", *params.journal_sectors * integrity::kSectorSize);
  text += fmt::format("  journal watermark: {}%\n", params.journal_watermark);
  text += fmt::format("  journal commit time: {} ms\n", params.commit_time);
  if (params.journal_mac)
    text += fmt::format("  journal integrity MAC: {}\n", params.journal_mac->name);
  if (params.journal_crypt)
    text += fmt::format("  journal encryption: {}\n", params.journal_crypt->name);
  return text;
}

std::string hash_name(const IntegrityMapping& mapping) {
  const auto& hash = mapping.table.params.internal_hash;
  return hash ? hash->name : "(none)";
}

}  // namespace

void IntegrityUse::add_server(const std::string& answer, uid_t user) {
  const auto server = parse_json(answer);
  if (!server) return;
  const auto said = optional_array(*server, "layers");
  if (!said || *said == nullptr) return;
  for (const Json& layer : **said) {
    if (!layer.is_object()) continue;
    layers.push_back({{"pid", server->value("pid", Json())}});
    layers.back().update(layer);
    layers.back()["user"] = user;
  }
}

Json to_json(const IntegrityUse& use) {
  const Superblock& superblock = use.superblock;
  return {{"device", use.device},
          {"active", use.active()},
          {"tag_size", superblock.tag_size},
          {"sector_size", superblock.block_size()},
          {"interleave_sectors", superblock.interleave_sectors()},
          {"sectors", superblock.provided_data_sectors},
          {"journal_bytes", use.journal},
          {"dirty_bitmap", superblock.has(Superblock::dirty_bitmap)},
          {"recalculating", superblock.lacks_tags()},
          {"recalc_sector", superblock.recalc_sector},
          {"servers", use.layers}};
}

std::string to_text(const IntegrityUse& use) {
  const Superblock& superblock = use.superblock;
  std::string text = fmt::format("{} is {}.\n", use.device, use.active() ? "active" : "inactive");
  text += "  type:    INTEGRITY\n";
  text += fmt::format("  tag size: {}\n", superblock.tag_size);
  text += fmt::format("  device:  {}\n", use.device);
  text += fmt::format("  sector size:  {} bytes\n", superblock.block_size());
  if (superblock.interleave_sectors() != 0)
    text += fmt::format("  interleave sectors: {}\n", superblock.interleave_sectors());
  text += fmt::format("  size:    {} sectors\n", superblock.provided_data_sectors);
  text += fmt::format("  journal size: {} bytes\n", use.journal);
  if (superblock.has(Superblock::dirty_bitmap))
    text += fmt::format("  bitmap:  in use{}\n", use.active() ? "" : ", not closed");
  if (superblock.lacks_tags())
    text += fmt::format("  recalculated: {} sectors\n", superblock.recalc_sector);
  for (const Json& layer : use.layers) text += layer_text(layer);
  return text;
}

Json to_json(const IntegrityMapping& mapping) {
  const integrity::Params& params = mapping.table.params;
  Json json = {{"device", mapping.device},
               {"active", true},
               {"open_count", mapping.state.open_count},
               {"tag_size", params.tag_size.value_or(0)},
               {"sector_size", params.block_size},
               {"mode", std::string(1, static_cast<char>(params.mode))},
               {"integrity", hash_name(mapping)},
               {"sectors", mapping.state.mapping.sectors()},
               {"mismatches", mapping.counts.mismatches},
               {"provided_data_sectors", mapping.counts.provided_data_sectors},
               {"recalc_sector", nullptr}};
  if (mapping.counts.recalc_sector) json["recalc_sector"] = *mapping.counts.recalc_sector;
  return json;
}

std::string to_text(const IntegrityMapping& mapping) {
  const auto& [device, state, counts, table] = mapping;
  const integrity::Params& params = table.params;
  std::string text =
      fmt::format("{} is active{}.\n", device, state.open_count != 0 ? " and is in use" : "");
  text += "  type:    INTEGRITY\n";
  text += fmt::format("  tag size: {}\n", params.tag_size.value_or(0));
  text += fmt::format("  integrity: {}\n", hash_name(mapping));
  const std::string& data = table.meta_device.empty() ? table.device : table.meta_device;
  text += fmt::format("  device:  {}\n", kernel::device_node(data));
  if (const std::string file = kernel::loop_file(data); !file.empty())
    text += fmt::format("  loop:    {}\n", file);
  text += fmt::format("  sector size:  {} bytes\n", params.block_size);
  text += fmt::format("  interleave sectors: {}\n", params.interleave_sectors);
  text += fmt::format("  size:    {} sectors\n", state.mapping.sectors());
  text += fmt::format("  mode:    {}\n", state.mapping.read_only ? "readonly" : "read/write");
  text += fmt::format("  failures: {}\n", counts.mismatches);
  if (counts.recalc_sector)
    text += fmt::format("  recalculated: {} of {} sectors\n", *counts.recalc_sector,
                        counts.provided_data_sectors);
  return text + tuning_text(params);
}

}  // namespace intact::report
