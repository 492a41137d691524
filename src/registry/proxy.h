#pragma once

#include <string>
#include <string_view>

#include "url.h"

namespace intact::registry {

/// The proxy that carries requests for a URL, by the environment: http_proxy, or https_proxy and
/// HTTPS_PROXY, then all_proxy and ALL_PROXY, unless no_proxy or NO_PROXY names the host. Empty if
/// the server is asked directly, as this machine always is.
std::string proxy_for(const Url& url);

/// Whether a list in the form of no_proxy names a host: "*", names with all names below them,
/// addresses, and networks such as 10.0.0.0/8, between commas or blanks.
bool is_excepted(std::string_view list, std::string_view host);

}  // namespace intact::registry
