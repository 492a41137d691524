#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <intact/base/text.h>

namespace intact::dm {

/// `:SIZE:TYPE:NAME`, as the kernel's tables have it.
struct KeyReference {
  std::uint64_t size;     ///< bytes
  std::string_view type;  ///< "fd" here only; "user", "logon", ...
  std::string_view name;
};

/// None unless all of `word` is one.
inline std::optional<KeyReference> parse_key_reference(std::string_view word) {
  if (!word.starts_with(':')) return std::nullopt;
  const std::size_t type = word.find(':', 1);
  if (type == std::string_view::npos) return std::nullopt;
  const std::size_t name = word.find(':', type + 1);
  if (name == std::string_view::npos || name + 1 == word.size()) return std::nullopt;
  const auto size = whole_number(word.substr(1, type - 1));
  if (!size) return std::nullopt;
  return KeyReference{
      .size = *size, .type = word.substr(type + 1, name - type - 1), .name = word.substr(name + 1)};
}

}  // namespace intact::dm
