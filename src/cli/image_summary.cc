#include "image_summary.h"

#include <array>
#include <ctime>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <intact/base/visible.h>
#include <intact/sign/payload.h>
#include <intact/sign/signature_image.h>
#include <intact/store/resolve.h>

namespace intact::cli {
namespace {

Result<std::vector<std::string>> read_identities(const store::Store& store,
                                                 const store::NamedImage& record) {
  std::vector<std::string> identities;
  if (!record.signature_manifest) return identities;
  const Bytes manifest =
      TRY(store.read_blob(*record.signature_manifest, sign::kMaxSignatureManifestSize));
  for (const sign::SignatureLayer& layer : TRY(sign::parse_signature_manifest(manifest))) {
    // A signature that is bad in any way is skipped, as it is when trust is checked.
    const auto bytes = store.read_blob(layer.payload, sign::kMaxPayloadSize);
    if (!bytes && bytes.error().concerns_caller())
      return Error(bytes.error().kind(), bytes.error().message());
    const auto payload = bytes ? sign::parse_payload(*bytes)
                               : Result<sign::SigningPayload>(Error(bytes.error().kind(), ""));
    if (payload && payload->manifest == record.manifest)
      identities.push_back(payload->docker_reference);
  }
  return identities;
}

/// ["WORD","WORD"], as visible text: a quotation mark within a word has a backslash.
std::string quoted_list(const std::vector<std::string>& words) {
  std::string list;
  for (const std::string& word : words) {
    list += list.empty() ? "\"" : ",\"";
    for (const char c : visible(word)) (list += c == '"' ? "\\" : "") += c;
    list += '"';
  }
  return "[" + list + "]";
}

}  // namespace

Result<ImageSummary> summarize(const store::Store& store, const std::string& name) {
  store::NamedImage record = TRY(store::resolve_image(store, name));
  const Bytes manifest_bytes = TRY(store.read_blob(record.manifest, oci::kMaxDocument));
  oci::Manifest manifest =
      TRY(oci::parse_manifest(manifest_bytes, "").context("manifest of '" + name + "'"));
  const Bytes config_bytes = TRY(store.read_blob(manifest.config.digest, oci::kMaxDocument));
  oci::ImageConfig config =
      TRY(oci::parse_config(config_bytes).context("config of '" + name + "'"));
  ImageSummary summary{.record = std::move(record),
                       .manifest = std::move(manifest),
                       .config = std::move(config),
                       .layer_present = {},
                       .identities = {}};
  for (const oci::Descriptor& layer : summary.manifest.layers)
    summary.layer_present.push_back(TRY(store.has_blob(layer.digest)));
  summary.identities =
      TRY(read_identities(store, summary.record).context("signature of '" + name + "'"));
  return summary;
}

Json to_json(const ImageSummary& summary) {
  const store::NamedImage& record = summary.record;
  Json json{{"name", record.name},
            {"source", record.source},
            {"created", format_time(record.created)},
            {"manifest", record.manifest.to_string()},
            {"config", summary.manifest.config.digest.to_string()},
            {"image", record.image.to_string()},
            {"size", record.size},
            {"platform", oci::to_string(summary.config.platform)},
            {"layers_kept", record.layers_kept}};
  json["layers"] = Json::array();
  for (std::size_t i = 0; i < summary.manifest.layers.size(); ++i) {
    const oci::Descriptor& layer = summary.manifest.layers[i];
    json["layers"].push_back({{"digest", layer.digest.to_string()},
                              {"size", layer.size},
                              {"media_type", layer.media_type},
                              {"present", static_cast<bool>(summary.layer_present[i])}});
  }
  json["signature"] = nullptr;
  if (record.signature_manifest)
    json["signature"] = {{"manifest", record.signature_manifest->to_string()},
                         {"identities", summary.identities},
                         {"checked", false}};
  if (!record.object_dirs.empty()) json["object_dirs"] = record.object_dirs;
  json["image_config"] = summary.config.document;
  return json;
}

Json to_fields(const ImageSummary& summary) {
  const store::NamedImage& record = summary.record;
  Json layers = Json::array();
  for (const oci::Descriptor& layer : summary.manifest.layers)
    layers.push_back(layer.digest.to_string());
  const auto config = summary.config.document.find("config");
  const bool has_config = config != summary.config.document.end() && config->is_object();
  return {{"Name", record.name},
          {"Id", record.manifest.hex()},
          {"ID", record.manifest.hex()},
          {"Digest", record.manifest.to_string()},
          {"Manifest", record.manifest.to_string()},
          {"Image", record.image.to_string()},
          {"ConfigDigest", summary.manifest.config.digest.to_string()},
          {"Size", record.size},
          {"Source", record.source},
          {"Created", format_time(record.created)},
          {"Os", summary.config.platform.os},
          {"Architecture", summary.config.platform.architecture},
          {"Variant", summary.config.platform.variant},
          {"Platform", oci::to_string(summary.config.platform)},
          {"Layers", std::move(layers)},
          {"LayersKept", record.layers_kept},
          {"Signed", record.signature_manifest.has_value()},
          {"Identities", summary.identities},
          {"Labels", summary.config.labels},
          {"Env", summary.config.env},
          {"Entrypoint", summary.config.entrypoint},
          {"Cmd", summary.config.cmd},
          {"User", summary.config.user},
          {"WorkingDir", summary.config.working_dir},
          {"Config", has_config ? *config : Json::object()}};
}

std::string to_lines(const ImageSummary& summary) {
  const store::NamedImage& record = summary.record;
  std::string out;
  auto line = [&out](std::string_view key, const std::string& value) {
    out += fmt::format("{:<12} {}\n", key, value);
  };
  line("Name", visible(record.name));
  line("Source", visible(record.source));
  line("Pulled", format_time(record.created));
  if (record.signature_manifest) {
    line("Signature", record.signature_manifest->to_string() + " (not checked here)");
    for (const std::string& identity : summary.identities)
      line("  made for", identity.empty() ? "(no identity)" : visible(identity));
  } else {
    line("Signature", "none");
  }
  line("Manifest", record.manifest.to_string());
  line("Config", summary.manifest.config.digest.to_string());
  line("Image", record.image.to_string() + " (fs-verity)");
  line("Size", format_size(record.size));
  line("Platform", visible(oci::to_string(summary.config.platform)));
  for (std::size_t i = 0; i < summary.manifest.layers.size(); ++i) {
    const oci::Descriptor& layer = summary.manifest.layers[i];
    line(i == 0 ? "Layers" : "",
         fmt::format("{} {}{}", layer.digest.to_string(), format_size(layer.size),
                     summary.layer_present[i] ? "" : ", not kept"));
  }
  for (const std::string& dir : record.object_dirs) line("Objects from", visible(dir));
  const oci::ImageConfig& config = summary.config;
  if (!config.entrypoint.empty()) line("Entrypoint", quoted_list(config.entrypoint));
  if (!config.cmd.empty()) line("Cmd", quoted_list(config.cmd));
  if (!config.user.empty()) line("User", visible(config.user));
  if (!config.working_dir.empty()) line("Directory", visible(config.working_dir));
  for (const std::string& variable : config.env) line("Env", visible(variable));
  for (const auto& [key, value] : config.labels) line("Label", visible(key) + "=" + visible(value));
  return out;
}

std::string format_time(std::int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts{};
  // A record may hold any number; years of more than four digits are not times.
  if (seconds < 0 || seconds > 253402300799 || !::gmtime_r(&time, &parts)) return "?";
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string format_size(std::uint64_t bytes) {
  constexpr std::array<const char*, 6> kUnits = {"kB", "MB", "GB", "TB", "PB", "EB"};
  if (bytes < 1000) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  while (value >= 999.95 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

}  // namespace intact::cli
