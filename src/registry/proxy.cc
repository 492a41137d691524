#include "proxy.h"

#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <optional>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <intact/base/text.h>

namespace intact::registry {
namespace {

std::string first_of(std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (const char* value = std::getenv(name); value && *value) return value;
  return {};
}

/// The bytes of an address in text, 4 or 16 of them.
std::optional<std::string> address_bytes(std::string_view text) {
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  const std::string copy(text);
  char bytes[16];
  if (::inet_pton(AF_INET, copy.c_str(), bytes) == 1) return std::string(bytes, 4);
  if (::inet_pton(AF_INET6, copy.c_str(), bytes) == 1) return std::string(bytes, 16);
  return std::nullopt;
}

/// Whether an address is in "ADDRESS" or "ADDRESS/BITS".
bool is_in_network(std::string_view network, const std::string& address) {
  const std::size_t slash = network.find('/');
  const auto base = address_bytes(network.substr(0, slash));
  if (!base || base->size() != address.size()) return false;
  std::uint64_t bits = 8 * address.size();
  if (slash != std::string_view::npos) {
    const auto told = whole_number(std::string(network.substr(slash + 1)));
    if (!told || *told > bits) return false;
    bits = *told;
  }
  for (std::size_t i = 0; i < address.size() && bits != 0; ++i) {
    const unsigned n = bits < 8 ? static_cast<unsigned>(bits) : 8;
    const unsigned differ = static_cast<unsigned char>((*base)[i] ^ address[i]);
    if (differ >> (8 - n) != 0) return false;
    bits -= n;
  }
  return true;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

}  // namespace

bool is_excepted(std::string_view list, std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  const auto address = address_bytes(host);
  constexpr std::string_view kBetween = ", \t\n\r";
  while (!list.empty()) {
    const std::size_t end = list.find_first_of(kBetween);
    std::string_view entry = list.substr(0, end);
    list.remove_prefix(end == std::string_view::npos ? list.size() : end + 1);
    if (entry == "*") return true;
    if (address) {
      if (is_in_network(entry, *address)) return true;
      continue;
    }
    if (entry.starts_with('.')) entry.remove_prefix(1);
    if (entry.ends_with('.')) entry.remove_suffix(1);
    if (entry.empty()) continue;
    const std::string name = lower(entry);
    if (host == name || host.ends_with("." + name)) return true;
  }
  return false;
}

std::string proxy_for(const Url& url) {
  if (is_local_host(url.host)) return {};
  // HTTP_PROXY in capitals may be a header that somebody sent to a CGI program.
  std::string proxy =
      url.scheme == "https" ? first_of({"https_proxy", "HTTPS_PROXY"}) : first_of({"http_proxy"});
  if (proxy.empty()) proxy = first_of({"all_proxy", "ALL_PROXY"});
  if (proxy.empty() || is_excepted(first_of({"no_proxy", "NO_PROXY"}), url.host)) return {};
  return proxy;
}

}  // namespace intact::registry
