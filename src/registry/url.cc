#include "url.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <intact/base/visible.h>

#include "libcurl.h"

namespace intact::registry {
namespace {

constexpr std::size_t kMaxUrl = 16 * 1024;  // characters

struct CloseUrl {
  void operator()(CURLU* url) const { libcurl().url_cleanup(url); }
};
using Handle = std::unique_ptr<CURLU, CloseUrl>;

Error malformed(std::string_view text) {
  return Error(ErrorKind::malformed,
               "'" + visible(text.substr(0, 200)) + "': not a URL of a registry");
}

std::string part(CURLU* url, CURLUPart what, unsigned flags = 0) {
  char* value = nullptr;
  if (libcurl().url_get(url, what, &value, flags) != CURLUE_OK) return {};
  std::string text(value);
  libcurl().free(value);
  return text;
}

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

Result<Url> take_apart(CURLU* handle, std::string_view text) {
  Url url{lower(part(handle, CURLUPART_SCHEME)), lower(part(handle, CURLUPART_HOST)),
          part(handle, CURLUPART_PORT, CURLU_DEFAULT_PORT), part(handle, CURLUPART_PATH)};
  if (url.scheme != "http" && url.scheme != "https")
    return Error(ErrorKind::unsupported, "'" + visible(text.substr(0, 200)) +
                                             "': only URLs of http and https are followed");
  if (url.host.empty() || url.port.empty()) return malformed(text);
  if (const std::string query = part(handle, CURLUPART_QUERY); !query.empty())
    url.target += "?" + query;
  return url;
}

bool is_local_ipv4(std::uint32_t address) {
  const std::uint32_t first = address >> 24;
  return first == 127 || first == 0 || address >> 16 == 0xa9fe;
}

}  // namespace

std::string Url::text() const {
  const bool usual = port == (scheme == "https" ? "443" : "80");
  return scheme + "://" + host + (usual ? "" : ":" + port) + target;
}

// A scheme that libcurl does not speak is named as such, not as a URL that cannot be read.
constexpr unsigned kFlags = CURLU_DISALLOW_USER | CURLU_PATH_AS_IS | CURLU_NON_SUPPORT_SCHEME;

Result<Url> parse_url(std::string_view text) {
  TRY(load_libcurl());
  const std::string copy(text);
  const Handle handle(libcurl().url());
  if (copy.size() > kMaxUrl || copy.find('\0') != std::string::npos ||
      libcurl().url_set(handle.get(), CURLUPART_URL, copy.c_str(), kFlags) != CURLUE_OK)
    return malformed(text);
  return take_apart(handle.get(), text);
}

Result<Url> resolve_url(const Url& base, const std::string& location) {
  TRY(load_libcurl());
  const Handle handle(libcurl().url());
  if (location.empty() || location.size() > kMaxUrl || location.find('\0') != std::string::npos ||
      libcurl().url_set(handle.get(), CURLUPART_URL, base.text().c_str(), kFlags) != CURLUE_OK ||
      libcurl().url_set(handle.get(), CURLUPART_URL, location.c_str(), kFlags) != CURLUE_OK)
    return malformed(location);
  return take_apart(handle.get(), location);
}

bool same_origin(const Url& a, const Url& b) {
  return a.scheme == b.scheme && a.host == b.host && a.port == b.port;
}

bool is_local_host(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host == "localhost" || host.ends_with(".localhost")) return true;
  const bool brackets = host.starts_with('[') && host.ends_with(']');
  const std::string name(brackets ? host.substr(1, host.size() - 2) : host);
  sockaddr_in v4{.sin_family = AF_INET};
  sockaddr_in6 v6{.sin6_family = AF_INET6};
  if (::inet_pton(AF_INET, name.c_str(), &v4.sin_addr) == 1)
    return is_local_address(reinterpret_cast<const sockaddr&>(v4));
  if (::inet_pton(AF_INET6, name.substr(0, name.find('%')).c_str(), &v6.sin6_addr) == 1)
    return is_local_address(reinterpret_cast<const sockaddr&>(v6));
  return false;
}

bool is_local_address(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &address, sizeof v4);
    return is_local_ipv4(ntohl(v4.sin_addr.s_addr));
  }
  if (address.sa_family != AF_INET6) return true;
  sockaddr_in6 v6;
  std::memcpy(&v6, &address, sizeof v6);
  const in6_addr& bytes = v6.sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&bytes)) {
    std::uint32_t v4;
    std::memcpy(&v4, bytes.s6_addr + 12, sizeof v4);
    return is_local_ipv4(ntohl(v4));
  }
  // An IPv4 address in an old form (::/96), behind NAT64 (64:ff9b::/96) or 6to4 (2002::/16).
  constexpr std::uint8_t kOld[12] = {}, kNat64[12] = {0, 0x64, 0xff, 0x9b};
  const bool is_6to4 = bytes.s6_addr[0] == 0x20 && bytes.s6_addr[1] == 0x02;
  if (is_6to4 || std::memcmp(bytes.s6_addr, kOld, sizeof kOld) == 0 ||
      std::memcmp(bytes.s6_addr, kNat64, sizeof kNat64) == 0) {
    std::uint32_t v4;
    std::memcpy(&v4, bytes.s6_addr + (is_6to4 ? 2 : 12), sizeof v4);
    if (is_local_ipv4(ntohl(v4))) return true;
  }
  return IN6_IS_ADDR_LOOPBACK(&bytes) || IN6_IS_ADDR_UNSPECIFIED(&bytes) ||
         IN6_IS_ADDR_LINKLOCAL(&bytes);
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~").find(c) != std::string_view::npos;
    if (plain) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

void add_query(std::string& target, std::string_view key, std::string_view value) {
  target += target.find('?') == std::string::npos ? '?' : '&';
  target += std::string(key) + "=" + percent_encode(value);
}

}  // namespace intact::registry
