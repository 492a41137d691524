#include <intact/crypto/hash.h>
#include <intact/oci/descriptor.h>

#include "base64.h"

namespace intact::oci {

std::string Descriptor::annotation(std::string_view key) const {
  const auto it = annotations.find(std::string(key));
  return it == annotations.end() ? std::string() : it->second;
}

Descriptor describe(std::string_view media_type, ByteSpan bytes) {
  return {std::string(media_type), crypto::sha256(bytes), bytes.size(), {}, {}, {}, {}};
}

Result<Annotations> annotations_from_json(const Json& object, std::string_view key) {
  Annotations annotations;
  const Json* json = TRY(optional_object(object, key));
  if (!json) return annotations;
  for (const auto& [name, value] : json->get_ref<const Json::object_t&>()) {
    if (!value.is_string())
      return Error(ErrorKind::malformed, "JSON: value of \"" + name.substr(0, 100) + "\" in \"" +
                                             std::string(key) + "\" is not a string");
    annotations[name] = value.get<std::string>();
  }
  return annotations;
}

Result<Descriptor> descriptor_from_json(const Json& object) {
  const std::string digest = TRY(require_string(object, "digest"));
  Descriptor descriptor{TRY(require_string(object, "mediaType")),
                        TRY(Digest::parse(digest)),
                        TRY(require_uint(object, "size")),
                        TRY(annotations_from_json(object, "annotations")),
                        {},
                        TRY(optional_string(object, "artifactType")).value_or(""),
                        object};
  if (const Json* platform = TRY(optional_object(object, "platform")))
    descriptor.platform = TRY(platform_from_json(*platform).context("platform"));
  if (const auto data = TRY(optional_string(object, "data"))) {
    const Bytes bytes = TRY(decode_base64(*data).context("data of a descriptor"));
    if (bytes.size() != descriptor.size ||
        crypto::hash(descriptor.digest.algorithm(), bytes) != descriptor.digest)
      return Error(ErrorKind::tampered,
                   "data of the descriptor of " + digest + " is not what the digest says");
  }
  return descriptor;
}

Json to_json(const Descriptor& descriptor) {
  Json json = descriptor.document.is_object() ? descriptor.document : Json::object();
  json["mediaType"] = descriptor.media_type;
  const std::string digest = descriptor.digest.to_string();
  // Inline data of other bytes must not stay.
  if (const auto old = json.find("digest"); old != json.end() && *old != digest) json.erase("data");
  json["digest"] = digest;
  json["size"] = descriptor.size;
  if (!descriptor.artifact_type.empty()) json["artifactType"] = descriptor.artifact_type;
  if (descriptor.platform) {
    Json platform = to_json(*descriptor.platform);
    if (const auto old = json.find("platform"); old != json.end() && old->is_object()) {
      old->update(platform);
    } else {
      json["platform"] = std::move(platform);
    }
  }
  if (descriptor.annotations.empty()) {
    json.erase("annotations");
  } else {
    json["annotations"] = descriptor.annotations;
  }
  return json;
}

}  // namespace intact::oci
