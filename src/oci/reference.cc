#include <algorithm>
#include <array>
#include <utility>

#include <intact/base/text.h>
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

bool is_port(std::string_view text) {
  return !text.empty() && text.size() <= 5 && text[0] != '0' &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// A name, an IPv4 address or an IPv6 address in brackets, perhaps with a port.
bool is_host(std::string_view host) {
  std::string_view rest;
  if (host.starts_with('[')) {
    const std::size_t close = host.find(']');
    if (close == std::string_view::npos || close < 3) return false;
    const std::string_view address = host.substr(1, close - 1);
    rest = host.substr(close + 1);
    if (!std::all_of(address.begin(), address.end(), [](char c) {
          return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == ':' || c == '.';
        }))
      return false;
  } else {
    const std::size_t colon = std::min(host.find(':'), host.size());
    const std::string_view name = host.substr(0, colon);
    rest = host.substr(colon);
    if (name.empty() || name.front() == '.' || name.front() == '-' ||
        name.find("..") != std::string_view::npos ||
        !std::all_of(name.begin(), name.end(),
                     [](char c) { return (is_word(c) && c != '_') || c == '.' || c == '-'; }))
      return false;
  }
  return rest.empty() || (rest[0] == ':' && is_port(rest.substr(1)));
}

/// Lower-case words joined by one '.', one or two '_', or dashes.
bool is_repository_component(std::string_view text) {
  const auto is_alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
  };
  if (text.empty() || !is_alphanumeric(text.front()) || !is_alphanumeric(text.back())) return false;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    while (end < text.size() && !is_alphanumeric(text[end])) ++end;
    const std::string_view joint = text.substr(at, end - at);
    const bool dashes = joint.find_first_not_of('-') == std::string_view::npos;
    if (!dashes && joint != "." && joint != "_" && joint != "__") return false;
    at = end + 1;
  }
  return true;
}

/// HOST/REPO in the one spelling that everything uses: of Docker Hub's names the short one, and
/// "library" where it may be left out.
Result<std::string> repository_place(std::string_view text, std::string_view place) {
  const std::size_t slash = std::min(place.find('/'), place.size());
  std::string host(place.substr(0, slash));
  for (char& c : host)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  std::string repository(place.substr(std::min(slash + 1, place.size())));
  // Without a repository what follows a colon is a tag, not a port.
  const std::string name = repository.empty() ? host.substr(0, host.find(':')) : host;
  const bool names_host = name == "localhost" || name.find_first_of(".:[") != std::string::npos;
  if (!names_host && is_repository_component(name))
    return wrong(text, "a short name; write its registry, as in docker://docker.io/" +
                           std::string(slash == place.size() ? "library/" : "") +
                           std::string(place));
  if (repository.empty() || !is_host(host))
    return wrong(text, "not docker://HOST/REPO[:TAG|@DIGEST]");
  if (host == "index.docker.io" || host == "registry-1.docker.io") host = "docker.io";
  if (host == "docker.io" && repository.find('/') == std::string::npos)
    repository = "library/" + repository;
  for (std::string_view rest = repository; !rest.empty();) {
    if (rest.ends_with('/') || !is_repository_component(take_until(rest, '/')))
      return wrong(text,
                   "not a valid repository: lower-case letters and digits, joined by '.', "
                   "'_', '-' and '/'");
  }
  if (host.size() + 1 + repository.size() > 255) return wrong(text, "longer than 255 characters");
  return host + "/" + repository;
}

Result<Reference> parse_docker(std::string_view text, std::string_view rest) {
  Reference reference{Transport::docker, {}, {}, {}};
  if (const std::size_t at = rest.find('@'); at != std::string_view::npos) {
    auto digest = Digest::parse(rest.substr(at + 1));
    if (!digest) return wrong(text, digest.error().message());
    reference.digest = *digest;
    rest = rest.substr(0, at);
  }
  // A colon after the last slash is a tag's, one before it a port's.
  const std::size_t slash = rest.rfind('/');
  const std::size_t colon = rest.rfind(':');
  if (colon != std::string_view::npos && slash != std::string_view::npos && colon > slash) {
    reference.tag = rest.substr(colon + 1);
    if (!is_registry_tag(reference.tag)) return wrong(text, "not a valid tag");
    rest = rest.substr(0, colon);
  }
  reference.path = TRY(repository_place(text, rest));
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
