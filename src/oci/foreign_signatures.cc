#include "foreign_signatures.h"

#include <set>

#include <intact/json/json.h>
#include <intact/oci/media_types.h>

namespace intact::oci {
namespace {

constexpr std::size_t kMaxCandidates = 64;

struct Kind {
  std::string_view type;  ///< how its media type begins
  std::string_view name;
};
constexpr Kind kKinds[] = {
    {"application/vnd.dev.sigstore.bundle", "sigstore bundle"},
    {"application/vnd.dev.cosign.artifact.sig", "cosign signature as a referrer"},
    {"application/vnd.cncf.notary.signature", "Notation signature"},
};

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

}  // namespace

std::optional<std::string> foreign_signature_kind(ByteSpan manifest, const Digest& subject) {
  const auto document =
      parse_json(manifest, {.bytes = kMaxDocument, .depth = 16, .values = 10'000});
  if (!document || text_at(member(*document, "subject"), "digest") != subject.to_string())
    return std::nullopt;
  const Json& layers = member(*document, "layers");
  const std::string types[] = {
      text_at(*document, "artifactType"), text_at(member(*document, "config"), "mediaType"),
      layers.is_array() && !layers.empty() ? text_at(layers[0], "mediaType") : ""};
  for (const std::string& type : types)
    for (const Kind& kind : kKinds)
      if (type.starts_with(kind.type)) return std::string(kind.name);
  return std::nullopt;
}

std::string referrers_tag(const Digest& manifest) {
  return std::string(to_string(manifest.algorithm())) + "-" + manifest.hex();
}

std::vector<std::string> find_foreign_signatures(const ImageSource& source, const Index& index,
                                                 const Digest& subject) {
  std::vector<Descriptor> candidates;
  for (const Descriptor& descriptor : index.manifests) {
    if (descriptor.digest == subject) continue;
    candidates.push_back(descriptor);
    if (descriptor.annotation(kRefName) != referrers_tag(subject)) continue;
    const auto bytes = source.read_document(descriptor);
    const auto list = bytes ? parse_index(*bytes, "") : Result<Index>(Index{});
    if (list) candidates.insert(candidates.end(), list->manifests.begin(), list->manifests.end());
  }
  std::vector<std::string> found;
  std::set<std::string> seen;
  for (const Descriptor& descriptor : candidates) {
    if (seen.size() == kMaxCandidates) break;
    if (!seen.insert(descriptor.digest.to_string()).second) continue;
    const auto bytes = source.read_document(descriptor);
    if (!bytes) continue;
    if (const auto kind = foreign_signature_kind(*bytes, subject))
      found.push_back(*kind + " " + descriptor.digest.to_string());
  }
  return found;
}

}  // namespace intact::oci
