#pragma once

#include <set>
#include <string>
#include <string_view>

#include <intact/json/json.h>

namespace intact::run {

/// The value of `linux.seccomp` in a bundle: podman's default profile for a process whose bounding
/// set has `capabilities` ("CAP_CHOWN", ...). `machine` is that of uname(2): "x86_64" and "aarch64"
/// get their 32-bit companions and own calls, others the common list for the native architecture.
Json seccomp_profile(const std::set<std::string>& capabilities, std::string_view machine);

}  // namespace intact::run
