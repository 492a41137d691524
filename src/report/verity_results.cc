#include <fmt/format.h>
#include <fmt/ranges.h>

#include <intact/base/bytes.h>
#include <intact/report/verity.h>

namespace intact::report {
namespace {

std::string salt_text(const verity::Params& params) {
  return params.salt.empty() ? "-" : to_hex(params.salt);
}

/// A device by its node, and the file behind it if it is a loop device.
std::string device_text(const char* label, const char* loop_label, const std::string& number) {
  std::string text = fmt::format("  {:<12} {}\n", label, kernel::device_node(number));
  if (const std::string file = kernel::loop_file(number); !file.empty())
    text += fmt::format("  {:<12} {}\n", loop_label, file);
  return text;
}

/// In sectors, from hash blocks.
std::uint64_t sectors(std::uint64_t blocks, const verity::Params& params) {
  return blocks * params.hash_block_size / dm::kSectorSize;
}

bool is_damaged(const kernel::MappingState& state) {
  return state.status.starts_with('C');
}

}  // namespace

std::string to_text(const VerityHeader& header) {
  const verity::Params& params = header.layout.params;
  std::string text = fmt::format("VERITY header information for {}\n", header.hash_device);
  text += fmt::format("UUID:            \t{}\n", header.uuid);
  text += fmt::format("Hash type:       \t{}\n", static_cast<std::uint32_t>(params.hash_type));
  text += fmt::format("Data blocks:     \t{}\n", params.data_blocks);
  text += fmt::format("Data block size: \t{}\n", params.data_block_size);
  text += fmt::format("Hash blocks:     \t{}\n", header.geometry.hash_blocks());
  text += fmt::format("Hash block size: \t{}\n", params.hash_block_size);
  text += fmt::format("Hash algorithm:  \t{}\n", params.hash);
  if (header.fec) {
    const verity::FecGeometry& fec = header.fec->geometry;
    text += fmt::format("FEC RS roots:   \t{}\n", fec.roots());
    text += fmt::format("FEC blocks:     \t{}\n", fec.size() / fec.block_size());
  }
  text += fmt::format("Salt:            \t{}\n", salt_text(params));
  if (header.root) text += fmt::format("Root hash:      \t{}\n", to_hex(*header.root));
  text += fmt::format("Hash device size: \t{} [bytes]\n", header.hash_size);
  if (header.fec) text += fmt::format("FEC device size: \t{} [bytes]\n", header.fec->size);
  return text;
}

Json to_json(const VerityHeader& header) {
  const verity::Params& params = header.layout.params;
  Json json = {{"uuid", header.uuid},
               {"hash_type", static_cast<std::uint32_t>(params.hash_type)},
               {"data_blocks", params.data_blocks},
               {"data_block_size", params.data_block_size},
               {"hash_blocks", header.geometry.hash_blocks()},
               {"hash_block_size", params.hash_block_size},
               {"hash_algorithm", params.hash},
               {"salt", to_hex(params.salt)}};
  if (header.root)
    json["root_hash"] = to_hex(*header.root);
  else
    json["hash_device_size"] = header.hash_size;
  return json;
}

std::string to_text(const kernel::MappingState& state, const verity::KernelTable& table) {
  const verity::Params& params = table.params;
  std::string text = fmt::format("/dev/mapper/{} is active{}.\n", state.mapping.name,
                                 state.open_count > 0 ? " and is in use" : "");
  text += "  type:        VERITY\n";
  text += fmt::format("  status:      {}{}\n", is_damaged(state) ? "corrupted" : "verified",
                      table.signature_key.empty() ? "" : " (with signature)");
  text += fmt::format("  hash type:   {}\n", static_cast<unsigned>(params.hash_type));
  text += fmt::format("  data block:  {}\n", params.data_block_size);
  text += fmt::format("  hash block:  {}\n", params.hash_block_size);
  text += fmt::format("  hash name:   {}\n", params.hash);
  text += fmt::format("  salt:        {}\n", salt_text(params));
  text += device_text("data device:", "data loop:", table.devices.data);
  text += fmt::format("  size:        {} sectors\n", state.mapping.sectors());
  text += fmt::format("  mode:        {}\n", state.mapping.read_only ? "readonly" : "read/write");
  text += device_text("hash device:", "hash loop:", table.devices.hash);
  text += fmt::format("  hash offset: {} sectors\n", sectors(table.hash_start, params));
  if (table.fec) {
    text += device_text("FEC device:", "FEC loop:", table.devices.fec);
    text += fmt::format("  FEC offset:  {} sectors\n", sectors(table.fec->start, params));
    text += fmt::format("  FEC roots:   {}\n", table.fec->roots);
  }
  text += fmt::format("  root hash:   {}\n", to_hex(table.root));
  if (!table.flags.empty()) text += fmt::format("  flags:       {}\n", fmt::join(table.flags, " "));
  return text;
}

Json to_json(const kernel::MappingState& state, const verity::KernelTable& table) {
  Json json = {{"name", state.mapping.name},
               {"uuid", state.mapping.uuid},
               {"in_use", state.open_count > 0},
               {"ok", !is_damaged(state)},
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

}  // namespace intact::report
