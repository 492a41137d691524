#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include <intact/base/checked.h>
#include <intact/dm/target.h>
#include <intact/verity/dm_target.h>

namespace intact::verity {
namespace {

Error wrong(std::string message) {
  return {ErrorKind::invalid_argument, "verity: " + std::move(message)};
}

Result<VerityTarget::Options> options_from(const std::vector<std::string>& flags, bool for_kernel) {
  VerityTarget::Options options;
  for (const std::string& flag : flags) {
    if (flag == "ignore_corruption")
      options.on_corruption = OnCorruption::ignore;
    else if (flag == "restart_on_corruption" || flag == "panic_on_corruption")
      options.on_corruption = OnCorruption::stop;
    else if (!for_kernel && (flag == "restart_on_error" || flag == "panic_on_error"))
      return Error(ErrorKind::unsupported,
                   fmt::format("verity: {}: only the kernel can do that", flag));
    else if (flag == "ignore_zero_blocks")
      options.ignore_zero_blocks = true;
    else if (flag == "check_at_most_once")
      options.check_at_most_once = true;
  }
  return options;
}

struct Parsed {
  KernelTable table;
  Layout layout;
  Devices devices;
};

Result<Parsed> parse(const dm::Line& line, dm::Names& names) {
  Parsed parsed{.table = TRY(KernelTable::parse(line)), .layout = {}, .devices = {}};
  const KernelTable& table = parsed.table;
  TRY(check_params(table.params));
  if (line.sectors != table.line().sectors)
    return wrong(fmt::format("the line has {} sectors, and its data blocks are {}", line.sectors,
                             table.line().sectors));
  const auto hash_offset =
      checked_multiply<std::uint64_t>(table.hash_start, table.params.hash_block_size);
  if (!hash_offset) return wrong("the first hash block is out of range");
  parsed.layout = {.params = table.params, .hash_offset = *hash_offset, .superblock = false};
  parsed.devices = {.data = TRY(names.device(table.devices.data)),
                    .hash = TRY(names.device(table.devices.hash))};
  if (!table.fec) return parsed;
  if (table.devices.fec.empty()) return wrong("FEC options without use_fec_from_device");
  parsed.devices.fec = TRY(names.device(table.devices.fec));
  const auto start =
      checked_multiply<std::uint64_t>(table.fec->start, table.params.hash_block_size);
  if (!start) return wrong("fec_start is out of range");
  const auto& sector = table.fec->start_sector;
  parsed.layout.fec = {.roots = table.fec->roots,
                       .offset = sector ? *sector * dm::kSectorSize : *start};
  return parsed;
}

Result<std::shared_ptr<block::Device>> open_line(const dm::Line& line, dm::Names& names,
                                                 const dm::Opening& opening) {
  const Parsed parsed = TRY(parse(line, names));
  if (!parsed.table.signature_key.empty() && !opening.for_kernel)
    return Error(ErrorKind::unsupported,
                 "verity: root_hash_sig_key_desc: only the kernel knows which keys it trusts");
  VerityTarget::Options options = TRY(options_from(parsed.table.flags, opening.for_kernel));
  options.on_damage = [events = opening.events, name = opening.name,
                       stops = options.on_corruption == OnCorruption::stop](const Damage& damage) {
    if (events.log)
      events.log(fmt::format("DAMAGED {}: {}: {}", name, place_of(damage), damage.reason));
    if (stops && events.stop) events.stop();
  };
  std::shared_ptr<VerityTarget> target =
      TRY(verity::open(parsed.layout, parsed.devices, parsed.table.root, std::move(options)));
  if (parsed.table.fec) {
    const auto geometry =
        TRY(fec_geometry(parsed.layout, *TRY(fec_coverage(parsed.layout, parsed.devices))));
    if (geometry.blocks() != parsed.table.fec->blocks)
      return wrong(fmt::format("fec_blocks is {}, but data and hash area have {}",
                               parsed.table.fec->blocks, geometry.blocks()));
  }
  return std::shared_ptr<block::Device>(std::move(target));
}

Result<crypto::Secret> kernel_arguments(const dm::Line& line, dm::Names&, const block::Device&,
                                        const dm::KernelName& kernel_name) {
  KernelTable table = TRY(KernelTable::parse(line));
  if (table.fec && table.fec->start_sector)
    return wrong("FEC offset: the kernel requires a multiple of the hash block size");
  DeviceNames& devices = table.devices;
  for (std::string* const word : {&devices.data, &devices.hash, &devices.fec})
    if (!word->empty()) *word = TRY(kernel_name(*word));
  return dm::with_kernel_names(table.line(), kernel_name, {});
}

std::optional<Error> kernel_refusal(int code) {
  for (const int about_signatures :
       {ENOKEY, EKEYREJECTED, EKEYEXPIRED, EKEYREVOKED, EBADMSG, ENOPKG})
    if (code == about_signatures)
      return Error(ErrorKind::untrusted,
                   fmt::format("the kernel does not accept the root hash signature ({})",
                               std::generic_category().message(code)),
                   code);
  return std::nullopt;
}

}  // namespace

constinit const dm::Target kDmTarget = {.name = "verity",
                                        .writable = false,
                                        .open = open_line,
                                        .kernel_arguments = kernel_arguments,
                                        .kernel_refusal = kernel_refusal};

Result<dm::Line> make_line(const LineSpec& spec, const Devices& devices) {
  KernelTable table{
      .params = spec.layout.params,
      .devices = {.data = spec.data, .hash = spec.hash, .fec = spec.fec},
      .hash_start = TRY(hash_area_offset(spec.layout)) / spec.layout.params.hash_block_size,
      .root = spec.root,
      .flags = spec.flags,
      .signature_key = spec.signature_key};
  if (const auto& fec = spec.layout.fec) {
    const auto geometry = TRY(fec_geometry(spec.layout, *TRY(fec_coverage(spec.layout, devices))));
    const std::uint64_t block = spec.layout.params.hash_block_size;
    table.fec = {.start = fec->offset / block, .blocks = geometry.blocks(), .roots = fec->roots};
    if (fec->offset % block != 0) table.fec->start_sector = fec->offset / dm::kSectorSize;
  }
  return table.line();
}

Result<dm::Table> make_table(const LineSpec& spec, const Devices& devices,
                             const std::optional<Uuid>& uuid) {
  std::string prefix = "CRYPT-VERITY-";
  if (uuid) {
    std::string digits = uuid->to_string();
    std::erase(digits, '-');
    prefix += digits + "-";
  }
  return dm::Table{.name = {}, .uuid = std::move(prefix), .lines = {TRY(make_line(spec, devices))}};
}

}  // namespace intact::verity
