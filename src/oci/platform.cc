#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include <sys/utsname.h>

#include <intact/oci/descriptor.h>

namespace intact::oci {
namespace {

/// uname's words and other common spellings in Go's.
Platform normalized(Platform platform) {
  struct Alias {
    std::string_view name, architecture, variant;
  };
  static constexpr std::array<Alias, 11> kAliases{{
      {"x86_64", "amd64", ""},
      {"x86-64", "amd64", ""},
      {"i386", "386", ""},
      {"i486", "386", ""},
      {"i586", "386", ""},
      {"i686", "386", ""},
      {"aarch64", "arm64", ""},
      {"armhf", "arm", "v7"},
      {"armel", "arm", "v6"},
      {"armv7l", "arm", "v7"},
      {"armv6l", "arm", "v6"},
  }};
  for (const Alias& alias : kAliases) {
    if (platform.architecture != alias.name) continue;
    platform.architecture = alias.architecture;
    if (platform.variant.empty()) platform.variant = alias.variant;
  }
  return platform;
}

Platform with_variant(Platform platform) {
  platform = normalized(std::move(platform));
  if (!platform.variant.empty()) return platform;
  if (platform.architecture == "arm64") platform.variant = "v8";
  if (platform.architecture == "arm") platform.variant = "v7";
  if (platform.architecture == "amd64") platform.variant = "v1";
  return platform;
}

}  // namespace

Platform Platform::host() {
  utsname name;
  if (::uname(&name) != 0) return {"linux", "unknown", {}};
  return normalized({"linux", name.machine, {}});
}

std::string to_string(const Platform& platform) {
  std::string text = platform.os + "/" + platform.architecture;
  if (!platform.variant.empty()) text += "/" + platform.variant;
  return text;
}

Result<Platform> parse_platform(std::string_view text) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    const bool word =
        (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
    if (c == '/') {
      parts.emplace_back();
    } else if (word) {
      parts.back() += c;
    } else {
      parts.clear();
      break;
    }
  }
  const bool whole = (parts.size() == 2 || parts.size() == 3) &&
                     std::none_of(parts.begin(), parts.end(),
                                  [](const std::string& part) { return part.empty(); });
  if (!whole)
    return Error(ErrorKind::invalid_argument, "'" + std::string(text.substr(0, 100)) +
                                                  "': not a platform; write OS/ARCH[/VARIANT], for "
                                                  "example linux/amd64");
  return normalized({parts[0], parts[1], parts.size() == 3 ? parts[2] : std::string()});
}

bool matches(const Platform& wanted, const Platform& offered) {
  return with_variant(wanted) == with_variant(offered);
}

Result<Platform> platform_from_json(const Json& object) {
  Platform platform;
  platform.os = TRY(require_string(object, "os"));
  platform.architecture = TRY(require_string(object, "architecture"));
  platform.variant = TRY(optional_string(object, "variant")).value_or("");
  return platform;
}

Json to_json(const Platform& platform) {
  Json json = {{"architecture", platform.architecture}, {"os", platform.os}};
  if (!platform.variant.empty()) json["variant"] = platform.variant;
  return json;
}

}  // namespace intact::oci
