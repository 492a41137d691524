#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace intact::registry {

/// What a server asks of clients in WWW-Authenticate.
struct Challenge {
  std::string scheme;                             ///< lower case: "basic", "bearer"
  std::map<std::string, std::string> parameters;  ///< names in lower case
  std::string parameter(const std::string& name) const;
};

/// All challenges of all such headers, several in one included. What cannot be read is skipped:
/// the bytes may be any.
std::vector<Challenge> parse_challenges(const std::vector<std::string>& headers);

/// The target with rel="next" of the headers called Link; nothing without one.
std::optional<std::string> next_link(const std::vector<std::string>& headers);

/// The inclusive ends of "Range: 0-99" of an upload, or "bytes=0-99".
struct ByteRange {
  std::uint64_t first = 0, last = 0;
};
std::optional<ByteRange> parse_range(std::string_view value);

/// "bytes 10-19/20"; the whole may be unknown ("*").
struct ContentRange {
  std::uint64_t first = 0, last = 0;
  std::optional<std::uint64_t> whole;
};
std::optional<ContentRange> parse_content_range(std::string_view value);

/// How long Retry-After asks to wait, in seconds or as a date; nothing if it cannot be read.
std::optional<std::chrono::seconds> parse_retry_after(const std::string& value);

}  // namespace intact::registry
