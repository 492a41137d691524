#pragma once

#include <string>
#include <string_view>

#include <sys/socket.h>

#include <intact/base/result.h>

namespace intact::registry {

/// An absolute URL of http or https without user and fragment.
struct Url {
  std::string scheme;  ///< "http" or "https"
  std::string host;    ///< lower case; IPv6 addresses in brackets
  std::string port;    ///< always a number
  std::string target;  ///< path and query
  std::string text() const;
};

/// malformed: no such URL; unsupported: another scheme (file:, ftp:).
Result<Url> parse_url(std::string_view text);

/// What a header such as Location means in the answer to a request for `base`.
Result<Url> resolve_url(const Url& base, const std::string& location);

/// Whether credentials for one may be sent to the other: scheme, host and port are the same.
bool same_origin(const Url& a, const Url& b);

/// Whether a host's name says that it is this machine: "localhost", 127.0.0.1, [::1].
bool is_local_host(std::string_view host);
/// Whether an address is of this machine or link: loopback, unspecified, link-local.
bool is_local_address(const sockaddr& address);

/// Adds "key=value" to the query, percent-encoded.
void add_query(std::string& target, std::string_view key, std::string_view value);
/// Every character but letters, digits and "-._~" as %XX.
std::string percent_encode(std::string_view text);

}  // namespace intact::registry
