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

namespace intact::oci {

/// What an image runs on, in Go's words: "linux", "amd64", and for arm a variant ("v7").
struct Platform {
  std::string os;
  std::string architecture;
  std::string variant;  ///< may be empty

  static Platform host();
  bool operator==(const Platform&) const = default;
};

/// "linux/arm64/v8"; what is empty is left out.
std::string to_string(const Platform& platform);

/// OS/ARCH[/VARIANT]; "x86_64", "aarch64" and the like are understood. invalid_argument otherwise.
Result<Platform> parse_platform(std::string_view text);

/// Whether an image made for `offered` is one for `wanted`. Default variants may be left out:
/// arm64 is arm64/v8, arm is arm/v7, amd64 is amd64/v1.
bool matches(const Platform& wanted, const Platform& offered);

/// The platform object of an index, and the fields of that name in a config.
Result<Platform> platform_from_json(const Json& object);
Json to_json(const Platform& platform);

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
