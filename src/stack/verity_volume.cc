#include <utility>

#include <fmt/format.h>

#include "fields.h"
#include "layer.h"

namespace intact::stack {
namespace {

using verity::OnCorruption;

Result<Bytes> require_bytes(const Json& json, const char* key) {
  return from_hex(TRY(require_string(json, key))).context(key);
}

Result<verity::Params> params_from(const Json& json) {
  verity::Params params{
      .hash_type = static_cast<verity::HashType>(TRY(require_number<std::uint32_t>(json, "type"))),
      .hash = TRY(require_string(json, "algorithm")),
      .data_block_size = TRY(require_number<std::uint32_t>(json, "data_block_size")),
      .hash_block_size = TRY(require_number<std::uint32_t>(json, "hash_block_size")),
      .data_blocks = TRY(require_uint(json, "data_blocks")),
      .salt = TRY(require_bytes(json, "salt"))};
  TRY(verity::check_params(params));
  return params;
}

std::string summary_of(const verity::VerityTarget& target) {
  const verity::VerityTarget::Counters counters = target.counters();
  if (counters.mended == 0 && counters.corrupted == 0) return {};
  return fmt::format("{} blocks verified, {} reads of damaged blocks, {} reads mended",
                     counters.verified, counters.corrupted, counters.mended);
}

}  // namespace

Result<Stack> Layer<VerityVolume>::open(const VerityVolume& volume, const std::string& name,
                                        const Events& events) {
  const bool stops = volume.on_corruption == OnCorruption::stop;
  const std::uint64_t hash_area = TRY(verity::hash_area_offset(volume.layout));
  verity::VerityTarget::Options options{
      .on_corruption = volume.on_corruption,
      .ignore_zero_blocks = volume.ignore_zero_blocks,
      .check_at_most_once = volume.check_at_most_once,
      .on_damage = [events, stops, hash_area, name,
                    params = volume.layout.params](const verity::Damage& damage) {
        if (events.log)
          events.log(fmt::format("DAMAGED {}: {}: {}", name,
                                 verity::place_of(damage, params, hash_area).text, damage.reason));
        if (stops && events.stop) events.stop();
      }};
  const std::shared_ptr<verity::VerityTarget> target =
      TRY(verity::open(volume.layout, {.data = volume.data, .hash = volume.hash, .fec = volume.fec},
                       volume.root, std::move(options)));
  return Stack(target, {.summary = [target] { return summary_of(*target); }});
}

Result<Json> Layer<VerityVolume>::encode(const VerityVolume& volume,
                                         OutgoingDescriptors& descriptors) {
  const verity::Params& params = volume.layout.params;
  Json json = {{"root", to_hex(volume.root)},
               {"type", static_cast<std::uint32_t>(params.hash_type)},
               {"algorithm", params.hash},
               {"data_block_size", params.data_block_size},
               {"hash_block_size", params.hash_block_size},
               {"data_blocks", params.data_blocks},
               {"salt", to_hex(params.salt)},
               {"hash_offset", volume.layout.hash_offset},
               {"superblock", volume.layout.superblock ? 1 : 0},
               {"on_corruption", static_cast<unsigned>(volume.on_corruption)},
               {"ignore_zero_blocks", volume.ignore_zero_blocks ? 1 : 0},
               {"check_at_most_once", volume.check_at_most_once ? 1 : 0},
               {"data", TRY(descriptors.add(volume.data))},
               {"hash", TRY(descriptors.add(volume.hash))}};
  if (volume.layout.fec)
    json["fec"] = {{"device", TRY(descriptors.add(volume.fec))},
                   {"roots", volume.layout.fec->roots},
                   {"offset", volume.layout.fec->offset}};
  return json;
}

Result<VerityVolume> Layer<VerityVolume>::decode(const Json& json,
                                                 IncomingDescriptors& descriptors) {
  const auto on_corruption = TRY(require_uint(json, "on_corruption"));
  if (on_corruption > static_cast<unsigned>(OnCorruption::stop)) return malformed("on_corruption");
  VerityVolume volume{.layout = {.params = TRY(params_from(json)),
                                 .hash_offset = TRY(require_uint(json, "hash_offset")),
                                 .superblock = TRY(require_flag(json, "superblock"))},
                      .root = TRY(require_bytes(json, "root")),
                      .data = TRY(descriptors.file(TRY(require_uint(json, "data")))),
                      .hash = TRY(descriptors.file(TRY(require_uint(json, "hash")))),
                      .on_corruption = static_cast<OnCorruption>(on_corruption),
                      .ignore_zero_blocks = TRY(require_flag(json, "ignore_zero_blocks")),
                      .check_at_most_once = TRY(require_flag(json, "check_at_most_once"))};
  if (const Json* const fec = TRY(optional_object(json, "fec"))) {
    volume.fec = TRY(descriptors.file(TRY(require_uint(*fec, "device"))));
    volume.layout.fec = verity::Layout::Fec{.roots = TRY(require_number<unsigned>(*fec, "roots")),
                                            .offset = TRY(require_uint(*fec, "offset"))};
  }
  return volume;
}

}  // namespace intact::stack
