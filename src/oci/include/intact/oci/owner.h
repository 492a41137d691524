#pragma once

#include <cstdint>
#include <string_view>

#include <intact/base/result.h>

namespace intact::oci {

/// The user and group that a file belongs to, as numbers.
struct Owner {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  bool operator==(const Owner&) const = default;
};

/// Parses "UID[:GID]" in decimal digits; without GID it is UID. invalid_argument: anything else,
/// and 4294967295, which stands for "no user" in system calls.
Result<Owner> parse_owner(std::string_view text);

}  // namespace intact::oci
