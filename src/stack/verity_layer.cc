#include <utility>

#include <fmt/format.h>

#include <intact/stack/verity_layer.h>

#include "descriptors.h"
#include "fields.h"

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
  return fmt::format("{} blocks verified, {} reads of damaged blocks, {} reads corrected",
                     counters.verified, counters.corrupted, counters.mended);
}

Json status_of(const verity::VerityTarget& target) {
  const verity::VerityTarget::Counters counters = target.counters();
  return {{"verified", counters.verified},
          {"corrupted", counters.corrupted},
          {"corrected", counters.mended}};
}

}  // namespace

verity::Devices VerityLayer::devices(const std::shared_ptr<block::BlockTarget>& below) const {
  const auto or_below = [&below](const File& file) -> std::shared_ptr<block::BlockTarget> {
    return file ? file : below;
  };
  verity::Devices devices{.data = below, .hash = or_below(hash)};
  if (layout.fec) devices.fec = or_below(fec);
  return devices;
}

Result<OpenLayer> VerityLayer::open(const Opening& opening) const {
  const bool stops = on_corruption == OnCorruption::stop;
  const std::uint64_t hash_area = TRY(verity::hash_area_offset(layout));
  verity::VerityTarget::Options options{
      .on_corruption = on_corruption,
      .ignore_zero_blocks = ignore_zero_blocks,
      .check_at_most_once = check_at_most_once,
      .on_damage = [events = opening.events, stops, hash_area, name = opening.name,
                    params = layout.params](const verity::Damage& damage) {
        if (events.log)
          events.log(fmt::format("DAMAGED {}: {}: {}", name,
                                 verity::place_of(damage, params, hash_area).text, damage.reason));
        if (stops && events.stop) events.stop();
      }};
  const std::shared_ptr<verity::VerityTarget> target =
      TRY(verity::open(layout, devices(opening.below), root, std::move(options)));
  return OpenLayer{.device = target,
                   .summary = [target] { return summary_of(*target); },
                   .status = [target] { return status_of(*target); }};
}

Result<Json> VerityLayer::encode(OutgoingDescriptors& descriptors) const {
  const verity::Params& params = layout.params;
  Json json = {{"root", to_hex(root)},
               {"type", static_cast<std::uint32_t>(params.hash_type)},
               {"algorithm", params.hash},
               {"data_block_size", params.data_block_size},
               {"hash_block_size", params.hash_block_size},
               {"data_blocks", params.data_blocks},
               {"salt", to_hex(params.salt)},
               {"hash_offset", layout.hash_offset},
               {"superblock", layout.superblock ? 1 : 0},
               {"on_corruption", static_cast<unsigned>(on_corruption)},
               {"ignore_zero_blocks", ignore_zero_blocks ? 1 : 0},
               {"check_at_most_once", check_at_most_once ? 1 : 0}};
  if (hash) json["hash"] = TRY(descriptors.add(hash));
  if (layout.fec) {
    Json& parity = json["fec"] = {{"roots", layout.fec->roots}, {"offset", layout.fec->offset}};
    if (fec) parity["device"] = TRY(descriptors.add(fec));
  }
  return json;
}

Result<VerityLayer> VerityLayer::decode(const Json& json, IncomingDescriptors& descriptors) {
  const auto on_corruption = TRY(require_uint(json, "on_corruption"));
  if (on_corruption > static_cast<unsigned>(OnCorruption::stop)) return malformed("on_corruption");
  VerityLayer layer{.layout = {.params = TRY(params_from(json)),
                               .hash_offset = TRY(require_uint(json, "hash_offset")),
                               .superblock = TRY(require_flag(json, "superblock"))},
                    .root = TRY(require_bytes(json, "root")),
                    .hash = TRY(descriptors.optional_file(json, "hash")),
                    .on_corruption = static_cast<OnCorruption>(on_corruption),
                    .ignore_zero_blocks = TRY(require_flag(json, "ignore_zero_blocks")),
                    .check_at_most_once = TRY(require_flag(json, "check_at_most_once"))};
  if (const Json* const fec = TRY(optional_object(json, "fec"))) {
    layer.fec = TRY(descriptors.optional_file(*fec, "device"));
    layer.layout.fec = verity::Layout::Fec{.roots = TRY(require_number<unsigned>(*fec, "roots")),
                                           .offset = TRY(require_uint(*fec, "offset"))};
  }
  return layer;
}

}  // namespace intact::stack
