#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <intact/base/result.h>

namespace intact::sign {

/// RFC 3339, in whole seconds or with a fraction that is left out, as "2026-11-30T20:51:17Z".
/// Seconds since 1970; malformed for anything else and for years before 1970.
Result<std::int64_t> parse_time(std::string_view text);
std::string format_time(std::int64_t seconds);

}  // namespace intact::sign
