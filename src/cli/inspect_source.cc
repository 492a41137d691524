#include "inspect_source.h"

#include <unistd.h>

#include <intact/base/visible.h>
#include <intact/console/output.h>
#include <intact/json/json.h>
#include <intact/oci/image_source.h>
#include <intact/oci/media_types.h>

#include "command.h"

namespace intact::cli {
namespace {

constexpr std::size_t kMaxShownTags = 20;

Json describe(const oci::Descriptor& descriptor) {
  Json json{{"digest", descriptor.digest.to_string()},
            {"mediaType", descriptor.media_type},
            {"size", descriptor.size}};
  if (descriptor.platform) json["platform"] = oci::to_string(*descriptor.platform);
  if (!descriptor.artifact_type.empty()) json["artifactType"] = descriptor.artifact_type;
  return json;
}

/// The manifests of an index, or the layers of an image.
Result<void> add_content(const oci::ImageSource& source, const oci::Descriptor& top, Json& json) {
  const Bytes bytes = TRY(source.read_document(top));
  if (oci::classify(top.media_type).kind == oci::MediaType::Kind::index) {
    json["manifests"] = Json::array();
    for (const oci::Descriptor& one : TRY(oci::parse_index(bytes, top.media_type)).manifests)
      json["manifests"].push_back(describe(one));
    return {};
  }
  const oci::Manifest manifest = TRY(oci::parse_manifest(bytes, top.media_type));
  json["config"] = describe(manifest.config);
  json["layers"] = Json::array();
  for (const oci::Descriptor& layer : manifest.layers) json["layers"].push_back(describe(layer));
  if (!oci::check_is_image(manifest)) return {};
  const oci::ImageConfig config =
      TRY(oci::parse_config(TRY(source.read_document(manifest.config))));
  json["platform"] = oci::to_string(config.platform);
  return {};
}

void print_list(const Json& json, const char* key, const char* title) {
  const auto list = json.find(key);
  if (list == json.end() || list->empty()) return;
  print("{}:\n", title);
  for (const Json& one : *list) {
    print("  {}", one.at("digest").get<std::string>());
    if (one.contains("platform")) print("  {}", visible(one.at("platform").get<std::string>()));
    print("  {}", visible(one.value("artifactType", one.at("mediaType").get<std::string>())));
    print("  {} bytes\n", one.at("size").get<std::uint64_t>());
  }
}

void print_people(const Json& json) {
  print("Name:      {}\n", visible(json.at("name").get<std::string>()));
  print("Digest:    {}\n", json.at("digest").get<std::string>());
  print("Type:      {}\n", visible(json.at("mediaType").get<std::string>()));
  if (json.contains("platform"))
    print("Platform:  {}\n", visible(json.at("platform").get<std::string>()));
  print_list(json, "manifests", "Platforms");
  print_list(json, "layers", "Layers");
  print_list(json, "signatures", "Signatures (not verified)");
  print_list(json, "referrers", "Referrers (not verified)");
  std::string tags;
  std::size_t shown = 0;
  for (const Json& tag : json.at("tags"))
    if (shown++ < kMaxShownTags) tags += " " + visible(tag.get<std::string>());
  if (shown != 0)
    print("Tags:     {}{}\n", tags,
          shown > kMaxShownTags ? fmt::format(" ... ({} in all; see --json)", shown) : "");
}

}  // namespace

Result<int> inspect_source(const oci::Reference& reference, InspectForm form,
                           const registry::Options& options) {
  const auto source = TRY(registry::open_source(reference, {}, options));
  const oci::Descriptor top = TRY(source->find(reference.tag));
  if (form == InspectForm::raw) {
    const Bytes bytes = TRY(source->read_document(top));
    if (::isatty(STDOUT_FILENO) == 1) {
      // What is not JSON could steer the terminal.
      print_json(TRY(parse_json(bytes)));
    } else {
      print("{}", as_text(bytes));
    }
    return 0;
  }
  Json json = describe(top);
  json["name"] = to_string(reference);
  TRY(add_content(*source, top, json));
  json["signatures"] = json["referrers"] = json["tags"] = Json::array();
  for (const auto& tagged :
       {TRY(source->find_signatures(top.digest)), TRY(source->find_attestations(top.digest))})
    if (tagged) json["signatures"].push_back(describe(*tagged));
  for (const oci::Descriptor& one : TRY(source->referrers(top.digest)))
    json["referrers"].push_back(describe(one));
  for (const std::string& tag : source->names()) json["tags"].push_back(tag);
  if (form == InspectForm::json) {
    print_json(json);
  } else {
    print_people(json);
  }
  return 0;
}

}  // namespace intact::cli
