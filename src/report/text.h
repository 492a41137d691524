#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace intact::report {

/// "2026-01-31T12:00:00Z", from seconds since 1970; "?" for what is not such a time.
std::string format_time(std::int64_t seconds);
/// "210.3 MB", in powers of 1000.
std::string format_size(std::uint64_t bytes);
/// "'a', 'b' and 7 other images", as visible text.
std::string names_text(const std::vector<std::string>& names);
/// ["WORD","WORD"], as visible text: a quotation mark within a word has a backslash.
std::string quoted_list(const std::vector<std::string>& words);

}  // namespace intact::report
