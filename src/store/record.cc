#include "record.h"

#include <intact/json/json.h>
#include <intact/store/name.h>

#include "layout.h"

namespace intact::store {
namespace {

constexpr std::uint64_t kRecordVersion = 2;  // 1 had neither "format" nor "evidence"
constexpr std::size_t kMaxIdLength = 64;     // hex digits
constexpr std::size_t kMaxEvidence = 128;
constexpr std::size_t kMaxThrough = 64;

Result<void> check_version(const Json& document, std::uint64_t ours, const std::string& what) {
  const std::uint64_t version = TRY(require_uint(document, "version"));
  if (version == 0) return Error(ErrorKind::malformed, what + " of version 0");
  if (version > ours)
    return Error(ErrorKind::unsupported, what + " of version " + std::to_string(version) +
                                             " was made by a newer intact; this one knows " +
                                             std::to_string(ours));
  return {};
}

Result<Digest> require_digest(const Json& object, std::string_view key) {
  const std::string text = TRY(require_string(object, key));
  return Digest::parse(text);
}

Result<std::vector<EvidenceRef>> parse_evidence(const Json& record) {
  std::vector<EvidenceRef> all;
  if (const auto text = TRY(optional_string(record, "signature_manifest")))  // version 1
    all.push_back({std::string(kFirstEvidence), TRY(Digest::parse(*text))});
  const Json* const list = TRY(optional_array(record, "evidence"));
  if (!list) return all;
  if (all.size() + list->size() > kMaxEvidence)
    return Error(ErrorKind::limit,
                 "a record with more than " + std::to_string(kMaxEvidence) + " pieces of evidence");
  for (const Json& piece : *list)
    all.push_back({TRY(require_string(piece, "kind")), TRY(require_digest(piece, "document"))});
  return all;
}

}  // namespace

std::string encode_record(const NamedImage& image) {
  Json json;
  json["version"] = kRecordVersion;
  json["name"] = image.name;
  json["manifest"] = image.manifest.to_string();
  json["image"] = image.image.digest.to_string();
  json["format"] = image.image.format;
  json["evidence"] = Json::array();
  for (const EvidenceRef& evidence : image.evidence)
    json["evidence"].push_back(
        {{"kind", evidence.kind}, {"document", evidence.document.to_string()}});
  json["source"] = image.source;
  json["created"] = image.created;
  json["size"] = image.size;
  json["layers_kept"] = image.layers_kept;
  json["blobs"] = Json::array();
  for (const Digest& blob : image.blobs) json["blobs"].push_back(blob.to_string());
  if (!image.object_dirs.empty()) json["object_dirs"] = image.object_dirs;
  for (const Digest& index : image.through) json["through"].push_back(index.to_string());
  return to_text(json) + "\n";
}

Result<NamedImage> parse_record(ByteSpan bytes) {
  const Json json = TRY(parse_json(bytes));
  TRY(check_version(json, kRecordVersion, "record"));
  NamedImage image{
      .name = TRY(require_string(json, "name")),
      .manifest = TRY(require_digest(json, "manifest")),
      .image = {TRY(optional_string(json, "format")).value_or(std::string(kFirstFormat)),
                TRY(require_digest(json, "image"))},
      .evidence = TRY(parse_evidence(json)),
      .source = TRY(optional_string(json, "source")).value_or("")};
  if (!check_name(image.name))
    return Error(ErrorKind::malformed, "the name in the record is not a name");
  image.created = static_cast<std::int64_t>(TRY(optional_uint(json, "created")).value_or(0));
  image.size = TRY(optional_uint(json, "size")).value_or(0);
  if (const Json* kept = TRY(find_member(json, "layers_kept"))) {
    if (!kept->is_boolean())
      return Error(ErrorKind::malformed, "JSON: \"layers_kept\" is not true or false");
    image.layers_kept = kept->get<bool>();
  }
  for (const Json& blob : *TRY(require_array(json, "blobs"))) {
    if (!blob.is_string())
      return Error(ErrorKind::malformed, "JSON: an entry of \"blobs\" is not a string");
    image.blobs.push_back(TRY(Digest::parse(blob.get_ref<const std::string&>())));
  }
  if (const Json* dirs = TRY(optional_array(json, "object_dirs"))) {
    for (const Json& dir : *dirs) {
      if (!dir.is_string())
        return Error(ErrorKind::malformed, "JSON: an entry of \"object_dirs\" is not a string");
      image.object_dirs.push_back(dir.get<std::string>());
    }
  }
  if (const Json* through = TRY(optional_array(json, "through"))) {
    if (through->size() > kMaxThrough)
      return Error(ErrorKind::limit,
                   "a record with more than " + std::to_string(kMaxThrough) + " indexes");
    for (const Json& index : *through) {
      if (!index.is_string())
        return Error(ErrorKind::malformed, "JSON: an entry of \"through\" is not a string");
      image.through.push_back(TRY(Digest::parse(index.get_ref<const std::string&>())));
    }
  }
  return image;
}

std::string encode_marker(const Marker& marker) {
  Json json;
  json["version"] = kStoreVersion;
  if (!marker.id.empty()) json["id"] = marker.id;
  if (marker.shared) json["shared"] = true;
  return to_text(json) + "\n";
}

Result<Marker> parse_marker(ByteSpan bytes) {
  const Json json = TRY(parse_json(bytes));
  TRY(check_version(json, kStoreVersion, "a store"));
  Marker marker;
  marker.id = TRY(optional_string(json, "id")).value_or("");
  if (marker.id.size() > kMaxIdLength || (!marker.id.empty() && !from_hex(marker.id)))
    return Error(ErrorKind::malformed, "JSON: \"id\" is not a number in hex");
  if (const Json* shared = TRY(find_member(json, "shared"))) {
    if (!shared->is_boolean())
      return Error(ErrorKind::malformed, "JSON: \"shared\" is not true or false");
    marker.shared = shared->get<bool>();
  }
  return marker;
}

}  // namespace intact::store
