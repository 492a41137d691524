#include <intact/oci/manifest.h>
#include <intact/oci/media_types.h>

#include "document.h"

namespace intact::oci {

static Result<Manifest> parse(ByteSpan bytes, std::string_view expected_media_type) {
  Json json = TRY(parse_json(bytes, {.bytes = kMaxDocument}));
  std::string media_type =
      TRY(check_document(json, expected_media_type, MediaType::Kind::manifest, "manifest"));
  const Json* config = TRY(require_object(json, "config"));
  Manifest manifest{std::move(media_type),
                    TRY(descriptor_from_json(*config).context("config")),
                    {},
                    TRY(annotations_from_json(json, "annotations")),
                    TRY(optional_string(json, "artifactType")).value_or(""),
                    {},
                    {}};
  const Json* layers = TRY(require_array(json, "layers"));
  if (layers->size() > kMaxLayers)
    return Error(ErrorKind::limit, std::to_string(layers->size()) + " layers, over the limit of " +
                                       std::to_string(kMaxLayers));
  for (std::size_t i = 0; i < layers->size(); ++i)
    manifest.layers.push_back(
        TRY(descriptor_from_json((*layers)[i]).context("layer " + std::to_string(i))));
  if (const Json* subject = TRY(optional_object(json, "subject")))
    manifest.subject = TRY(descriptor_from_json(*subject).context("subject"));
  manifest.document = std::move(json);
  return manifest;
}

Result<Manifest> parse_manifest(ByteSpan bytes, std::string_view expected_media_type) {
  return parse(bytes, expected_media_type).context("manifest");
}

Bytes encode_manifest(const Manifest& manifest) {
  Json json = manifest.document.is_object() ? manifest.document : Json::object();
  json["schemaVersion"] = 2;
  json["mediaType"] = manifest.media_type;
  if (!manifest.artifact_type.empty()) json["artifactType"] = manifest.artifact_type;
  json["config"] = to_json(manifest.config);
  Json layers = Json::array();
  for (const Descriptor& layer : manifest.layers) layers.push_back(to_json(layer));
  json["layers"] = std::move(layers);
  if (manifest.subject) {
    json["subject"] = to_json(*manifest.subject);
  } else {
    json.erase("subject");
  }
  if (manifest.annotations.empty()) {
    json.erase("annotations");
  } else {
    json["annotations"] = manifest.annotations;
  }
  return to_bytes(to_text(json));
}

Result<void> check_is_image(const Manifest& manifest) {
  const auto refuse = [](std::string text) {
    return Error(ErrorKind::unsupported, std::move(text));
  };
  const std::string& config = manifest.config.media_type;
  if (config == kBuildCacheConfigType)
    return refuse("a build cache (BuildKit), not an image: name the image that was built");
  if (!manifest.artifact_type.empty() && config != kConfigType)
    return refuse("an artifact of type " + manifest.artifact_type.substr(0, 100) +
                  ", not an image");
  if (config == kEmptyType) return refuse("an artifact without a config, not an image");
  if (classify(config).kind != MediaType::Kind::config)
    return refuse("its config has the unknown media type '" + config.substr(0, 100) +
                  "': not an image");
  for (const Descriptor& layer : manifest.layers) {
    const MediaType type = classify(layer.media_type);
    if (type.kind != MediaType::Kind::layer)
      return refuse("layer " + layer.digest.to_string() + " has the unknown media type '" +
                    layer.media_type.substr(0, 100) + "'");
    if (type.encrypted)
      return refuse("layer " + layer.digest.to_string() +
                    " is encrypted: decrypt the image first, for example with skopeo copy "
                    "--decryption-key");
  }
  return {};
}

}  // namespace intact::oci
