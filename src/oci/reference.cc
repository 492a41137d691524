#include <algorithm>
#include <array>
#include <utility>

#include <intact/oci/reference.h>

namespace intact::oci {
namespace {

using Transport = Reference::Transport;

constexpr std::array<std::pair<std::string_view, Transport>, 6> kPrefixes{{
    {"oci:", Transport::oci},
    {"oci-archive:", Transport::oci_archive},
    {"docker-archive:", Transport::docker_archive},
    {"docker://", Transport::docker},
    {"rootfs:", Transport::rootfs},
    {"tar:", Transport::tar},
}};

Error wrong(std::string_view text, std::string_view why) {
  return Error(ErrorKind::invalid_argument, "'" + std::string(text) + "': " + std::string(why));
}

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// A tag as registries have it, at most 128 characters.
bool is_registry_tag(std::string_view tag) {
  return !tag.empty() && tag.size() <= 128 && is_word(tag[0]) &&
         std::all_of(tag.begin(), tag.end(),
                     [](char c) { return is_word(c) || c == '.' || c == '-'; });
}

/// Names in layouts are freer: containerd and skopeo put whole references there.
bool is_layout_name(std::string_view name) {
  return name.size() <= 1024 && std::all_of(name.begin(), name.end(), [](char c) {
           return is_word(c) || std::string_view("-._:@/+").find(c) != std::string_view::npos;
         });
}

Result<Reference> parse_docker(std::string_view text, std::string_view rest) {
  Reference reference{Transport::docker, {}, {}, {}};
  if (const std::size_t at = rest.find('@'); at != std::string_view::npos) {
    auto digest = Digest::parse(rest.substr(at + 1));
    if (!digest) return wrong(text, digest.error().message());
    reference.digest = *digest;
    rest = rest.substr(0, at);
  }
  // A colon behind the last slash is a tag's, one before it a port's.
  const std::size_t slash = rest.rfind('/');
  const std::size_t colon = rest.rfind(':');
  if (colon != std::string_view::npos && slash != std::string_view::npos && colon > slash) {
    reference.tag = rest.substr(colon + 1);
    if (!is_registry_tag(reference.tag)) return wrong(text, "not a valid tag");
    rest = rest.substr(0, colon);
  }
  if (slash == std::string_view::npos || slash == 0 || slash + 1 == rest.size())
    return wrong(text, "not docker://HOST/REPO[:TAG|@DIGEST]");
  reference.path = rest;
  return reference;
}

}  // namespace

std::string_view to_string(Transport transport) {
  for (const auto& [prefix, value] : kPrefixes) {
    if (value == transport) return prefix.substr(0, prefix.find(':'));
  }
  return "unknown";
}

std::string to_string(const Reference& reference) {
  std::string text(to_string(reference.transport));
  text += reference.transport == Transport::docker ? "://" : ":";
  text += reference.path;
  if (!reference.tag.empty()) text += ":" + reference.tag;
  if (reference.digest) text += "@" + reference.digest->to_string();
  return text;
}

bool has_transport(std::string_view text) {
  return std::any_of(kPrefixes.begin(), kPrefixes.end(),
                     [&](const auto& prefix) { return text.starts_with(prefix.first); });
}

Result<std::optional<Reference>> parse_reference(std::string_view text) {
  for (const auto& [prefix, transport] : kPrefixes) {
    if (!text.starts_with(prefix)) continue;
    const std::string_view rest = text.substr(prefix.size());
    if (rest.find('\0') != std::string_view::npos) return wrong(text, "contains a NUL character");
    if (transport == Transport::docker) return std::optional(TRY(parse_docker(text, rest)));
    Reference reference{transport, std::string(rest), {}, {}};
    // A path cannot hold a colon, so a digest after it cannot be a part of the path.
    const bool is_layout = transport == Transport::oci || transport == Transport::oci_archive;
    const std::size_t at = rest.find('@');
    if (is_layout && at != std::string_view::npos && rest.find(':') > at &&
        (rest.substr(at).starts_with("@sha256:") || rest.substr(at).starts_with("@sha512:"))) {
      auto digest = Digest::parse(rest.substr(at + 1));
      if (!digest) return wrong(text, digest.error().message());
      reference.path = rest.substr(0, at);
      reference.digest = *digest;
    } else if (transport != Transport::rootfs && transport != Transport::tar) {
      const std::size_t colon = std::min(rest.find(':'), rest.size());
      reference.path = rest.substr(0, colon);
      if (colon < rest.size()) reference.tag = rest.substr(colon + 1);
      if (colon < rest.size() && reference.tag.empty())
        return wrong(text, "no tag after the colon");
      if (!is_layout_name(reference.tag)) return wrong(text, "not a valid tag");
    }
    if (reference.path.empty()) return wrong(text, "no path");
    return std::optional(std::move(reference));
  }
  return std::optional<Reference>();
}

}  // namespace intact::oci
