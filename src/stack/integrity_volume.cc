#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include <intact/integrity/integrity_target.h>

#include "fields.h"
#include "layer.h"

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
  if (status.mismatches != 0)
    text +=
        fmt::format("{}{} reads of damaged blocks", text.empty() ? "" : ", ", status.mismatches);
  return text;
}

std::string status_of(const IntegrityTarget& target) {
  const IntegrityTarget::Status status = target.status();
  Json json = {{"pid", ::getpid()},
               {"writable", target.writable()},
               {"mismatches", status.mismatches},
               {"provided_data_sectors", status.provided_data_sectors},
               {"recalc_sector", nullptr},
               {"replayed_sections", status.replayed_sections},
               {"replayed_blocks", status.replayed_blocks},
               {"commits", status.commits},
               {"journal_free_entries", status.journal_free_entries},
               {"dirty_regions", status.dirty_regions},
               {"failure", nullptr}};
  if (status.recalc_sector) json["recalc_sector"] = *status.recalc_sector;
  if (status.failure) json["failure"] = *status.failure;
  return to_text(json);
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
      .allow_discards = TRY(require_flag(json, "allow_discards"))};
}

}  // namespace

Result<Stack> Layer<IntegrityVolume>::open(const IntegrityVolume& volume, const std::string& name,
                                           const Events& events) {
  IntegrityTarget::Options options;
  const File& meta = volume.meta ? volume.meta : volume.data;
  options.read_only = !volume.data->writable() || !meta->writable();
  if (events.log)
    options.on_mismatch = [log = events.log, name](const Mismatch& mismatch) {
      log(damage_text(name, mismatch));
    };
  const std::shared_ptr<IntegrityTarget> target = TRY(IntegrityTarget::open(
      volume.params, {.data = volume.data, .meta = volume.meta}, std::move(options)));
  return Stack(target, {.summary = [target] { return summary_of(*target); },
                        .status = {.tell = [target] { return status_of(*target); }, .file = meta},
                        .close = [target] { return target->close(); }});
}

/// What matters when a device is formatted is not in it: this one is.
Result<Json> Layer<IntegrityVolume>::encode(const IntegrityVolume& volume,
                                            OutgoingDescriptors& descriptors) {
  const Params& params = volume.params;
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
               {"allow_discards", params.allow_discards ? 1 : 0},
               {"data", TRY(descriptors.add(volume.data))}};
  if (params.tag_size) json["tag_size"] = *params.tag_size;
  if (volume.meta) json["meta"] = TRY(descriptors.add(volume.meta));
  TRY(encode_algorithm(json, "internal_hash", params.internal_hash, descriptors));
  TRY(encode_algorithm(json, "journal_crypt", params.journal_crypt, descriptors));
  TRY(encode_algorithm(json, "journal_mac", params.journal_mac, descriptors));
  return json;
}

Result<IntegrityVolume> Layer<IntegrityVolume>::decode(const Json& json,
                                                       IncomingDescriptors& descriptors) {
  IntegrityVolume volume{.params = TRY(decode_params(json, descriptors)),
                         .data = TRY(descriptors.file(TRY(require_uint(json, "data"))))};
  if (const auto meta = TRY(optional_uint(json, "meta")))
    volume.meta = TRY(descriptors.file(*meta));
  return volume;
}

}  // namespace intact::stack
