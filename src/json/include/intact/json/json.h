#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include <intact/base/bytes.h>
#include <intact/base/result.h>

namespace intact {

/// Keeps keys in the order of the document, so that rewriting a document changes only the intended
/// part.
using Json = nlohmann::ordered_json;

/// What a hostile document may cost. The size is checked before anything is parsed.
struct JsonLimits {
  std::size_t bytes = 4 * 1024 * 1024;
  std::size_t depth = 64;
  std::size_t values = 1'000'000;  ///< objects, arrays, keys and scalars together
};

/// Parses one JSON document; anything after it is malformed. Refuses (malformed) duplicate keys,
/// which readers resolve differently, invalid UTF-8 and comments; over a limit: kind limit. Never
/// throws.
Result<Json> parse_json(std::string_view text, const JsonLimits& limits = {});
inline Result<Json> parse_json(ByteSpan bytes, const JsonLimits& limits = {}) {
  return parse_json(as_text(bytes), limits);
}

/// Compact UTF-8 text. Never throws: invalid UTF-8 in strings is replaced.
std::string to_text(const Json& json);

/// Members of `object`, which must be an object (else malformed). `null` equals absent. A member of
/// another type than the one asked for is malformed and the error names the key. The "required"
/// ones are malformed when absent.
Result<const Json*> find_member(const Json& object,
                                std::string_view key);  ///< null pointer when absent
Result<std::string> require_string(const Json& object, std::string_view key);
Result<std::optional<std::string>> optional_string(const Json& object, std::string_view key);
Result<std::uint64_t> require_uint(const Json& object, std::string_view key);  ///< 0..2^63-1
Result<std::optional<std::uint64_t>> optional_uint(const Json& object, std::string_view key);
Result<const Json*> require_object(const Json& object, std::string_view key);
Result<const Json*> optional_object(const Json& object,
                                    std::string_view key);  ///< null pointer when absent
Result<const Json*> require_array(const Json& object, std::string_view key);
Result<const Json*> optional_array(const Json& object, std::string_view key);

}  // namespace intact
