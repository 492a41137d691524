// Images in a store: their list, and one of them in detail.
#include <optional>
#include <set>

#include <fmt/format.h>

#include <intact/base/visible.h>
#include <intact/report/results.h>

#include "text.h"

namespace intact::report {
namespace {

/// As many digits as tell images apart by eye, and are enough as a NAME.
std::string short_digest(const Digest& digest) {
  return digest.hex().substr(0, 12);
}

/// Why a local seal was made.
std::string_view sealed_image_text(sign::Basis basis) {
  switch (basis) {
    case sign::Basis::signature:
      return "of a signed image";
    case sign::Basis::pin:
      return "of an image that was pinned by its digest";
    case sign::Basis::first_use:
      return "of an image that was trusted on first use";
    case sign::Basis::none:
      break;
  }
  return "of an image without a trusted signature";
}

Json fields_of(const store::NamedImage& image, const std::optional<image::ImageSize>& size) {
  // A colon in a component is that of the tag; one before a slash is that of a port.
  const std::size_t slash = image.name.rfind('/');
  const std::size_t colon = image.name.find(':', slash == std::string::npos ? 0 : slash);
  const bool tagged = colon != std::string::npos;
  return {{"Name", image.name},
          {"Repository", image.name.substr(0, colon)},
          {"Tag", tagged ? image.name.substr(colon + 1) : std::string()},
          {"ID", short_digest(image.manifest)},
          {"Digest", image.manifest.to_string()},
          {"Manifest", image.manifest.to_string()},
          {"Image", image.image.digest.to_string()},
          {"Size", format_size(image.size)},
          {"OwnSize", size ? format_size(size->own) : "?"},
          {"SharedSize", size ? format_size(size->shared) : "?"},
          {"Bytes", image.size},
          {"Created", format_time(image.created)},
          {"CreatedAt", format_time(image.created)},
          {"Source", image.source},
          {"Seal", image::to_string(image::seal_kind_of(image))},
          {"LayersKept", image.layers_kept}};
}

}  // namespace

Json to_json(const image::StoredImages& images) {
  Json json = Json::array();
  for (const store::NamedImage& image : images.images) {
    json.push_back({{"name", image.name},
                    {"manifest", image.manifest.to_string()},
                    {"image", image.image.digest.to_string()},
                    {"size", image.size},
                    {"created", format_time(image.created)},
                    {"source", image.source},
                    {"seal", image::to_string(image::seal_kind_of(image))},
                    {"layers_kept", image.layers_kept}});
    if (!images.sizes) continue;
    const auto size = images.size_of(image);
    json.back()["own_size"] = size ? Json(size->own) : Json();
    json.back()["shared_size"] = size ? Json(size->shared) : Json();
  }
  return json;
}

std::vector<Json> to_fields(const image::StoredImages& images) {
  std::vector<Json> rows;
  rows.reserve(images.images.size());
  for (const store::NamedImage& image : images.images)
    rows.push_back(fields_of(image, images.size_of(image)));
  return rows;
}

Json empty_fields() {
  return fields_of({.name = "", .manifest = {}, .image = {}}, std::nullopt);
}

std::string to_table(const image::StoredImages& images, bool whole_digests) {
  std::string text = "NAME\tMANIFEST\tIMAGE\tSIZE";
  text += images.sizes ? "\tOWN\tSHARED\tSEAL\tPULLED\n" : "\tSEAL\tPULLED\n";
  const auto digest = [&](const Digest& d) {
    return whole_digests ? d.to_string() : short_digest(d);
  };
  for (const store::NamedImage& image : images.images) {
    text += fmt::format("{}\t{}\t{}\t{}", visible(image.name), digest(image.manifest),
                        digest(image.image.digest), format_size(image.size));
    if (images.sizes) {
      const auto size = images.size_of(image);
      text += size ? fmt::format("\t{}\t{}", format_size(size->own), format_size(size->shared))
                   : std::string("\t?\t?");
    }
    text += fmt::format("\t{}\t{}\n", image::to_string(image::seal_kind_of(image)),
                        format_time(image.created));
  }
  return text;
}

std::string to_digests(const image::StoredImages& images, bool whole) {
  std::string text;
  std::set<Digest> seen;
  for (const store::NamedImage& image : images.images)
    if (seen.insert(image.manifest).second)
      text += (whole ? image.manifest.to_string() : short_digest(image.manifest)) + "\n";
  return text;
}

Json to_json(const image::ImageSummary& summary) {
  const store::NamedImage& record = summary.record;
  Json json{{"name", record.name},
            {"source", record.source},
            {"created", format_time(record.created)},
            {"manifest", record.manifest.to_string()},
            {"config", summary.manifest.config.digest.to_string()},
            {"image", record.image.digest.to_string()},
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
  const auto evidence = image::publishers_evidence(record);
  if (!evidence.empty())
    json["signature"] = {{"manifest", evidence.front().document.to_string()},
                         {"identities", summary.identities},
                         {"checked", false}};
  json["attestations"] = summary.attestations;
  json["seal"] = image::to_string(image::seal_kind_of(record));
  if (summary.local_seal)
    json["local_seal"] = {{"basis", sign::to_string(summary.local_seal->basis)},
                          {"created", format_time(summary.local_seal->created)},
                          {"signer", summary.local_seal->signer},
                          {"checked", false}};
  if (!record.object_dirs.empty()) json["object_dirs"] = record.object_dirs;
  json["image_config"] = summary.config.document;
  return json;
}

Json to_fields(const image::ImageSummary& summary) {
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
          {"Image", record.image.digest.to_string()},
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
          {"Signed", !image::publishers_evidence(record).empty()},
          {"Identities", summary.identities},
          {"Seal", image::to_string(image::seal_kind_of(record))},
          {"Attestations", summary.attestations},
          {"Labels", summary.config.labels},
          {"Env", summary.config.env},
          {"Entrypoint", summary.config.entrypoint},
          {"Cmd", summary.config.cmd},
          {"User", summary.config.user},
          {"WorkingDir", summary.config.working_dir},
          {"Config", has_config ? *config : Json::object()}};
}

std::string to_text(const image::ImageSummary& summary) {
  const store::NamedImage& record = summary.record;
  std::string out;
  auto line = [&out](std::string_view key, const std::string& value) {
    out += fmt::format("{:<12} {}\n", key, value);
  };
  line("Name", visible(record.name));
  line("Source", visible(record.source));
  line("Pulled", format_time(record.created));
  const auto evidence = image::publishers_evidence(record);
  for (const store::EvidenceRef& piece : evidence)
    line("Signature",
         fmt::format("{} ({}, not checked here)", piece.document.to_string(), visible(piece.kind)));
  if (!evidence.empty()) {
    for (const std::string& identity : summary.identities)
      line("  made for", identity.empty() ? "(no identity)" : visible(identity));
  } else {
    line("Signature", "none");
  }
  for (const std::string& type : summary.attestations)
    line("Attestation", visible(type) + " (not checked here)");
  if (summary.local_seal)
    line("Seal", fmt::format("by this machine, {}, {} (not checked here)",
                             format_time(summary.local_seal->created),
                             sealed_image_text(summary.local_seal->basis)));
  else
    line("Seal", "by its publisher (not checked here)");
  line("Manifest", record.manifest.to_string());
  line("Config", summary.manifest.config.digest.to_string());
  line("Image", record.image.digest.to_string() + " (fs-verity)");
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

}  // namespace intact::report
