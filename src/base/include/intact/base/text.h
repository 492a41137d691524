#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace intact {

/// Takes the text before the first `separator` off `rest`, and the separator with it. Without one
/// takes everything.
inline std::string_view take_until(std::string_view& rest, char separator) {
  const std::size_t end = rest.find(separator);
  const std::string_view part = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  return part;
}

/// The parts between separators: one more than there are separators, some perhaps empty. They are
/// views of `text`.
inline std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const bool last = text.find(separator) == std::string_view::npos;
    parts.push_back(take_until(text, separator));
    if (last) return parts;
  }
}

/// Takes the number with which `rest` begins off it: digits of `base`, after a minus if T is
/// signed. Takes nothing and returns nothing if there is none or it does not fit into T.
template <typename T = std::uint64_t>
std::optional<T> take_number(std::string_view& rest, int base = 10) {
  T value{};
  const char* const end = rest.data() + rest.size();
  const auto [stop, error] = std::from_chars(rest.data(), end, value, base);
  if (error != std::errc()) return std::nullopt;
  rest.remove_prefix(static_cast<std::size_t>(stop - rest.data()));
  return value;
}

/// The number that all of `text` is; neither spaces nor a sign but the minus of a signed T.
template <typename T = std::uint64_t>
std::optional<T> whole_number(std::string_view text, int base = 10) {
  const std::optional<T> value = take_number<T>(text, base);
  return text.empty() ? value : std::nullopt;
}

/// `text` with a backslash before each backslash and each of the `special` characters.
inline std::string backslashed(std::string_view text, std::string_view special) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c == '\\' || special.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

/// "1 thing", "2 things".
inline std::string counted(std::uint64_t count, std::string_view thing) {
  return std::to_string(count) + " " + std::string(thing) + (count == 1 ? "" : "s");
}

}  // namespace intact
