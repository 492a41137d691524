#include "document.h"

#include <array>

namespace intact::oci {

Result<std::string> check_document(const Json& json, std::string_view expected_media_type,
                                   MediaType::Kind kind, std::string_view what) {
  const auto malformed = [](std::string text) {
    return Error(ErrorKind::malformed, std::move(text));
  };
  const bool index = kind == MediaType::Kind::index;
  const std::uint64_t schema = TRY(require_uint(json, "schemaVersion"));
  if (schema == 1)
    return Error(ErrorKind::unsupported,
                 "an image of Docker's schema 1; convert it, for example with `skopeo copy`");
  if (schema != 2) return malformed("schemaVersion is " + std::to_string(schema) + ", not 2");

  // Presence counts here, so a null member is one too.
  static constexpr std::array<std::string_view, 3> kOfManifests{"layers", "config", "fsLayers"};
  static constexpr std::array<std::string_view, 2> kOfIndexes{"manifests", "fsLayers"};
  for (const std::string_view key :
       index ? std::span<const std::string_view>(kOfManifests) : kOfIndexes) {
    if (json.contains(key))
      return malformed("has \"" + std::string(key) + "\", which does not belong into an " +
                       std::string(what));
  }

  const auto stated = TRY(optional_string(json, "mediaType"));
  if (stated && !expected_media_type.empty() && *stated != expected_media_type)
    return malformed("mediaType says '" + stated->substr(0, 100) + "', its descriptor says '" +
                     std::string(expected_media_type.substr(0, 100)) + "'");
  std::string type = stated ? *stated : std::string(expected_media_type);
  if (type.empty()) type = index ? kIndexType : kManifestType;
  if (classify(type).kind != kind)
    return malformed("media type '" + type.substr(0, 100) + "': not the type of an " +
                     std::string(what));
  return type;
}

Result<std::vector<std::string>> strings_of(const Json& object, std::string_view key) {
  constexpr std::size_t kMaxStrings = 100'000;
  std::vector<std::string> values;
  const Json* array = TRY(optional_array(object, key));
  if (!array) return values;
  if (array->size() > kMaxStrings)
    return Error(ErrorKind::limit, "more than " + std::to_string(kMaxStrings) + " entries in \"" +
                                       std::string(key) + "\"");
  for (const Json& value : *array) {
    if (!value.is_string())
      return Error(ErrorKind::malformed,
                   "JSON: \"" + std::string(key) + "\" contains a value that is not a string");
    values.push_back(value.get<std::string>());
  }
  return values;
}

}  // namespace intact::oci
