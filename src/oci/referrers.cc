#include <set>

#include <intact/json/json.h>
#include <intact/oci/manifest.h>
#include <intact/oci/media_types.h>
#include <intact/oci/referrers.h>

namespace intact::oci {
namespace {

std::string text_at(const Json& object, const char* key) {
  if (!object.is_object()) return "";
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

const Json& member(const Json& object, const char* key) {
  static const Json nothing;
  if (!object.is_object()) return nothing;
  const auto found = object.find(key);
  return found == object.end() ? nothing : *found;
}

/// What an artifact is. Older tools write it only as the type of the config or of the layer.
std::string type_of(const Json& document) {
  if (std::string type = text_at(document, "artifactType"); !type.empty()) return type;
  if (std::string type = text_at(member(document, "config"), "mediaType"); type != kEmptyType)
    return type;
  const Json& layers = member(document, "layers");
  return layers.is_array() && !layers.empty() ? text_at(layers[0], "mediaType") : std::string();
}

}  // namespace

std::string referrers_tag(const Digest& manifest) {
  return std::string(to_string(manifest.algorithm())) + "-" + manifest.hex().substr(0, 64);
}

std::optional<Descriptor> referrer_from(const Descriptor& listed, ByteSpan bytes,
                                        const Digest& subject) {
  const auto document = parse_json(bytes, {.bytes = kMaxDocument, .depth = 16, .values = 10'000});
  if (!document || text_at(member(*document, "subject"), "digest") != subject.to_string())
    return std::nullopt;
  Descriptor described{.media_type = text_at(*document, "mediaType"),
                       .digest = listed.digest,
                       .size = listed.size,
                       .artifact_type = type_of(*document)};
  if (described.media_type.empty()) described.media_type = listed.media_type;
  if (auto annotations = annotations_from_json(*document, "annotations"))
    described.annotations = *std::move(annotations);
  return described;
}

Result<std::vector<Descriptor>> confirm_referrers(const ImageSource& source,
                                                  const std::vector<Descriptor>& listed,
                                                  const Digest& subject) {
  std::vector<Descriptor> confirmed;
  std::set<Digest> seen{subject};
  for (const Descriptor& entry : listed) {
    if (!seen.insert(entry.digest).second) continue;
    const auto bytes = source.read_document(entry);
    if (!bytes) {
      switch (bytes.error().kind()) {
        case ErrorKind::not_found:
        case ErrorKind::tampered:
        case ErrorKind::malformed:
        case ErrorKind::limit:
          continue;
        default:
          return Error(bytes.error());
      }
    }
    auto described = referrer_from(entry, *bytes, subject);
    if (!described) continue;
    if (confirmed.size() == kMaxReferrers)
      return Error(ErrorKind::limit, subject.to_string() + ": more than " +
                                         std::to_string(kMaxReferrers) + " manifests refer to it");
    confirmed.push_back(*std::move(described));
  }
  return confirmed;
}

}  // namespace intact::oci
