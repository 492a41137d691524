#include <utility>

#include <fmt/format.h>

#include <intact/block/byte_target.h>
#include <intact/stack/integrity_layer.h>

#include "descriptors.h"
#include "fields.h"

namespace intact::stack {
namespace {

using integrity::Algorithm;
using integrity::IntegrityTarget;
using integrity::Mismatch;
using integrity::Params;

std::string summary_of(const IntegrityTarget& target) {
  const IntegrityTarget::Status status = target.status();
  std::string text;
  if (status.replayed_blocks != 0)
    text = fmt::format("{} blocks replayed from the journal", status.replayed_blocks);
  if (status.retagged_sectors != 0)
    text += fmt::format("{}{} sectors given new tags without a check of their data",
                        text.empty() ? "" : ", ", status.retagged_sectors);
  if (status.mismatches != 0)
    text +=
        fmt::format("{}{} reads of damaged blocks", text.empty() ? "" : ", ", status.mismatches);
  return text;
}

Json status_of(const IntegrityTarget& target) {
  const IntegrityTarget::Status status = target.status();
  Json json = {{"writable", target.writable()},
               {"mismatches", status.mismatches},
               {"provided_data_sectors", status.provided_data_sectors},
               {"recalc_sector", nullptr},
               {"replayed_sections", status.replayed_sections},
               {"replayed_blocks", status.replayed_blocks},
               {"commits", status.commits},
               {"journal_free_entries", status.journal_free_entries},
               {"dirty_regions", status.dirty_regions},
               {"retagged_sectors", status.retagged_sectors},
               {"failure", nullptr}};
  if (status.recalc_sector) json["recalc_sector"] = *status.recalc_sector;
  if (status.failure) json["failure"] = *status.failure;
  return json;
}

std::string damage_text(const std::string& name, const Mismatch& mismatch) {
  const std::uint64_t last = mismatch.sector + mismatch.sectors - 1;
  return fmt::format("DAMAGED {}: sectors {} to {} (bytes {} to {}): fail their tags", name,
                     mismatch.sector, last, mismatch.sector * integrity::kSectorSize,
                     (last + 1) * integrity::kSectorSize - 1);
}

// --- the description ----------------------------------------------------------------------------

Result<void> encode_algorithm(Json& json, const char* key,
                              const std::optional<Algorithm>& algorithm,
                              OutgoingDescriptors& descriptors) {
  if (!algorithm) return {};
  Json& member = json[key] = {{"name", algorithm->name}};
  if (algorithm->key) member["key"] = TRY(descriptors.add(*algorithm->key));
  return {};
}

Result<std::optional<Algorithm>> decode_algorithm(const Json& json, const char* key,
                                                  IncomingDescriptors& descriptors) {
  const Json* const member = TRY(optional_object(json, key));
  if (member == nullptr) return std::optional<Algorithm>();
  Algorithm algorithm{.name = TRY(require_string(*member, "name"))};
  if (const auto number = TRY(optional_uint(*member, "key")))
    algorithm.key = std::make_shared<const crypto::Secret>(TRY(descriptors.secret(*number)));
  return std::optional(std::move(algorithm));
}

Result<integrity::Mode> decode_mode(const Json& json) {
  const std::string letter = TRY(require_string(json, "mode"));
  for (const auto mode : {integrity::Mode::journal, integrity::Mode::bitmap,
                          integrity::Mode::direct, integrity::Mode::recovery})
    if (letter == std::string(1, static_cast<char>(mode))) return mode;
  return malformed("mode");
}

Result<Params> decode_params(const Json& json, IncomingDescriptors& descriptors) {
  return Params{
      .start = TRY(require_uint(json, "start")),
      .tag_size = TRY(optional_number<std::uint32_t>(json, "tag_size")),
      .mode = TRY(decode_mode(json)),
      .block_size = TRY(require_number<std::uint32_t>(json, "block_size")),
      .buffer_sectors = TRY(require_number<std::uint32_t>(json, "buffer_sectors")),
      .journal_watermark = TRY(require_number<std::uint32_t>(json, "journal_watermark")),
      .commit_time = TRY(require_number<std::uint32_t>(json, "commit_time")),
      .sectors_per_bit = TRY(require_uint(json, "sectors_per_bit")),
      .bitmap_flush_interval = TRY(require_number<std::uint32_t>(json, "bitmap_flush_interval")),
      .internal_hash = TRY(decode_algorithm(json, "internal_hash", descriptors)),
      .journal_crypt = TRY(decode_algorithm(json, "journal_crypt", descriptors)),
      .journal_mac = TRY(decode_algorithm(json, "journal_mac", descriptors)),
      .recalculate = TRY(require_flag(json, "recalculate")),
      .reset_recalculate = TRY(require_flag(json, "reset_recalculate")),
      .legacy_recalculate = TRY(require_flag(json, "legacy_recalculate")),
      .legacy_hmac = TRY(require_flag(json, "legacy_hmac")),
      .allow_discards = TRY(require_flag(json, "allow_discards"))};
}

}  // namespace

Result<OpenLayer> IntegrityLayer::open(const Opening& opening) const {
  integrity::Devices devices{.data = opening.below, .meta = meta};
  // Sectors are written, and the blocks of another layer may be larger.
  if (opening.below->writable() && opening.below->block_size() > integrity::kSectorSize)
    devices.data = std::make_shared<block::ByteTarget>(opening.below);
  IntegrityTarget::Options options;
  options.read_only =
      opening.read_only || !devices.data->writable() || !devices.of_meta().writable();
  if (opening.events.log)
    options.on_mismatch = [log = opening.events.log, name = opening.name](
                              const Mismatch& mismatch) { log(damage_text(name, mismatch)); };
  const std::shared_ptr<IntegrityTarget> target =
      TRY(IntegrityTarget::open(params, devices, std::move(options)));
  return OpenLayer{.device = target,
                   .summary = [target] { return summary_of(*target); },
                   .status = [target] { return status_of(*target); },
                   .known_by = meta,
                   .close = [target] { return target->close(); }};
}

/// What matters when a device is formatted is not in it: this one is.
Result<Json> IntegrityLayer::encode(OutgoingDescriptors& descriptors) const {
  Json json = {{"start", params.start},
               {"mode", std::string(1, static_cast<char>(params.mode))},
               {"block_size", params.block_size},
               {"buffer_sectors", params.buffer_sectors},
               {"journal_watermark", params.journal_watermark},
               {"commit_time", params.commit_time},
               {"sectors_per_bit", params.sectors_per_bit},
               {"bitmap_flush_interval", params.bitmap_flush_interval},
               {"recalculate", params.recalculate ? 1 : 0},
               {"reset_recalculate", params.reset_recalculate ? 1 : 0},
               {"legacy_recalculate", params.legacy_recalculate ? 1 : 0},
               {"legacy_hmac", params.legacy_hmac ? 1 : 0},
               {"allow_discards", params.allow_discards ? 1 : 0}};
  if (params.tag_size) json["tag_size"] = *params.tag_size;
  if (meta) json["meta"] = TRY(descriptors.add(meta));
  TRY(encode_algorithm(json, "internal_hash", params.internal_hash, descriptors));
  TRY(encode_algorithm(json, "journal_crypt", params.journal_crypt, descriptors));
  TRY(encode_algorithm(json, "journal_mac", params.journal_mac, descriptors));
  return json;
}

Result<IntegrityLayer> IntegrityLayer::decode(const Json& json, IncomingDescriptors& descriptors) {
  return IntegrityLayer{.params = TRY(decode_params(json, descriptors)),
                        .meta = TRY(descriptors.optional_file(json, "meta"))};
}

}  // namespace intact::stack
