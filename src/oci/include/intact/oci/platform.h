#pragma once

#include <string>
#include <string_view>

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

}  // namespace intact::oci
