#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <intact/json/json.h>

namespace intact::stack {

// What descriptions of volumes are made of, beside what json/json.h reads.

inline Error malformed(const std::string& what) {
  return {ErrorKind::malformed, "stack description: " + what};
}

/// malformed: it does not fit into a `Number`.
template <typename Number>
Result<Number> require_number(const Json& json, const char* key) {
  const std::uint64_t value = TRY(require_uint(json, key));
  if (!std::in_range<Number>(value)) return malformed(key);
  return static_cast<Number>(value);
}

template <typename Number>
Result<std::optional<Number>> optional_number(const Json& json, const char* key) {
  if (TRY(find_member(json, key)) == nullptr) return std::optional<Number>();
  return std::optional<Number>(TRY(require_number<Number>(json, key)));
}

/// Flags are written as 0 and 1.
inline Result<bool> require_flag(const Json& json, const char* key) {
  return TRY(require_uint(json, key)) != 0;
}

}  // namespace intact::stack
