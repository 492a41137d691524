#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/json/json.h>
#include <intact/oci/platform.h>

namespace intact::oci {

using Annotations = std::map<std::string, std::string>;

/// Points to bytes: their type, digest and size (image-spec, descriptor.md).
struct Descriptor {
  std::string media_type;
  Digest digest;
  std::uint64_t size = 0;  ///< bytes
  Annotations annotations;
  std::optional<Platform> platform;
  std::string artifact_type;
  /// The object it was parsed from, for the fields that are not known here; else null.
  Json document;

  /// The annotation's value, or empty.
  std::string annotation(std::string_view key) const;
};

/// A descriptor of bytes in hand.
Descriptor describe(std::string_view media_type, ByteSpan bytes);

/// malformed: a field is missing or of the wrong type; unsupported: digest algorithm unknown here.
/// Inline `data` must agree with size and digest (tampered).
Result<Descriptor> descriptor_from_json(const Json& object);

/// Unknown fields of `document` are kept, the known ones come from the struct.
Json to_json(const Descriptor& descriptor);

/// An annotations object; absent is empty. Values must be strings.
Result<Annotations> annotations_from_json(const Json& object, std::string_view key);

}  // namespace intact::oci
