#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>

namespace intact::sign {

/// An item of CBOR (RFC 8949), as far as COSE envelopes need them.
struct Cbor {
  enum class Type { unsigned_integer, negative_integer, bytes, text, array, map, tag };

  Type type = Type::unsigned_integer;
  std::uint64_t number = 0;   ///< the integer, -1 - number of a negative one, or the tag
  Bytes bytes{};              ///< of a byte string
  std::string text{};         ///< of a text string; any bytes
  std::vector<Cbor> items{};  ///< of an array; keys and values in turn of a map; the tagged one

  bool is(Type wanted) const { return type == wanted; }
  bool operator==(const Cbor&) const = default;
};

/// One item and nothing after it. Refused (malformed): items without a length, floats, simple
/// values, and a key that a map has twice. limit: more than 8 levels or 256 items.
Result<Cbor> parse_cbor(ByteSpan bytes);

/// The value of a key in a map; null if it is not there.
const Cbor* find_text_key(const Cbor& map, std::string_view key);
const Cbor* find_number_key(const Cbor& map, std::uint64_t key);

/// Writes items one after the other, in the shortest form.
class CborWriter {
 public:
  CborWriter& number(std::int64_t value);
  CborWriter& bytes(ByteSpan value);
  CborWriter& text(std::string_view value);
  CborWriter& array(std::size_t items);
  CborWriter& map(std::size_t pairs);
  CborWriter& tag(std::uint64_t value);
  Bytes take() { return std::move(out_); }

 private:
  void append(ByteSpan bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }
  template <typename Encode, typename Value>
  CborWriter& head(Encode encode, Value value);

  Bytes out_;
};

}  // namespace intact::sign
