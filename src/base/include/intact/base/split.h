#pragma once

#include <string_view>
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

}  // namespace intact
