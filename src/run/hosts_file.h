#pragma once

#include <string>
#include <string_view>

namespace intact::run {

/// The /etc/hosts of a container: `base`, completed so that localhost and `hostname` resolve.
std::string make_hosts_file(std::string_view base, std::string_view hostname);

}  // namespace intact::run
