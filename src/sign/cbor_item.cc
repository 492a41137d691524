#include "cbor_item.h"

#include <algorithm>
#include <array>
#include <optional>

#include <cbor.h>

namespace intact::sign {
namespace {

constexpr unsigned kMaxDepth = 8;
constexpr std::size_t kMaxItems = 256;
// How the first byte of a tag begins, and how many values fit into that byte.
constexpr unsigned kFirstTag = 0xc0;
constexpr unsigned kShortValues = 24;

/// One item without its parts, as the library's decoder calls for it.
struct Head {
  std::optional<Cbor> item{};
  std::size_t parts = 0;  ///< that follow: items of an array, pairs of a map
};

template <Cbor::Type kType, typename Value>
void on_number(void* context, Value value) {
  static_cast<Head*>(context)->item = Cbor{.type = kType, .number = value};
}

template <Cbor::Type kType>
void on_collection(void* context, std::size_t parts) {
  *static_cast<Head*>(context) = {.item = Cbor{.type = kType}, .parts = parts};
}

void on_bytes(void* context, cbor_data data, std::size_t size) {
  const auto* const first = reinterpret_cast<const std::byte*>(data);
  static_cast<Head*>(context)->item =
      Cbor{.type = Cbor::Type::bytes, .bytes = Bytes(first, first + size)};
}

void on_text(void* context, cbor_data data, std::size_t size) {
  static_cast<Head*>(context)->item = Cbor{
      .type = Cbor::Type::text, .text = std::string(reinterpret_cast<const char*>(data), size)};
}

/// The callbacks for what is allowed; all others leave the head without an item.
cbor_callbacks make_callbacks() {
  using Type = Cbor::Type;
  cbor_callbacks callbacks = cbor_empty_callbacks;
  callbacks.uint8 = on_number<Type::unsigned_integer, std::uint8_t>;
  callbacks.uint16 = on_number<Type::unsigned_integer, std::uint16_t>;
  callbacks.uint32 = on_number<Type::unsigned_integer, std::uint32_t>;
  callbacks.uint64 = on_number<Type::unsigned_integer, std::uint64_t>;
  callbacks.negint8 = on_number<Type::negative_integer, std::uint8_t>;
  callbacks.negint16 = on_number<Type::negative_integer, std::uint16_t>;
  callbacks.negint32 = on_number<Type::negative_integer, std::uint32_t>;
  callbacks.negint64 = on_number<Type::negative_integer, std::uint64_t>;
  callbacks.tag = on_number<Type::tag, std::uint64_t>;
  callbacks.byte_string = on_bytes;
  callbacks.string = on_text;
  callbacks.array_start = on_collection<Type::array>;
  callbacks.map_start = on_collection<Type::map>;
  return callbacks;
}

class Parser {
 public:
  explicit Parser(ByteSpan bytes) : left_(bytes) {}

  Result<Cbor> item(unsigned depth) {
    if (depth > kMaxDepth || ++items_ > kMaxItems)
      return Error(ErrorKind::limit, "CBOR: too deep or too many items");
    static const cbor_callbacks kCallbacks = make_callbacks();
    Head head;
    std::size_t size = 1;
    // The library's decoder refuses short tags that meant nothing when it was written, as COSE's.
    const auto first = left_.empty() ? 0U : std::to_integer<unsigned>(left_.front());
    if (first >= kFirstTag && first < kFirstTag + kShortValues) {
      head.item = Cbor{.type = Cbor::Type::tag, .number = first - kFirstTag};
    } else {
      const cbor_decoder_result result = cbor_stream_decode(
          reinterpret_cast<cbor_data>(left_.data()), left_.size(), &kCallbacks, &head);
      size = result.read;
      if (result.status != CBOR_DECODER_FINISHED) head.item.reset();
    }
    if (!head.item || size > left_.size())
      return Error(ErrorKind::malformed, "CBOR: cut off, or of a kind that is not allowed");
    left_ = left_.subspan(size);
    Cbor& made = *head.item;
    std::size_t parts = made.is(Cbor::Type::tag) ? 1 : head.parts;
    if (parts > kMaxItems) return Error(ErrorKind::limit, "CBOR: too many items");
    if (made.is(Cbor::Type::map)) parts *= 2;
    for (std::size_t i = 0; i < parts; ++i) made.items.push_back(TRY(item(depth + 1)));
    if (made.is(Cbor::Type::map)) TRY(check_keys(made));
    return std::move(made);
  }
  bool at_end() const { return left_.empty(); }

 private:
  static Result<void> check_keys(const Cbor& map) {
    for (std::size_t i = 0; i < map.items.size(); i += 2)
      for (std::size_t j = i + 2; j < map.items.size(); j += 2)
        if (map.items[i] == map.items[j])
          return Error(ErrorKind::malformed, "CBOR: a map has a key twice");
    return {};
  }

  ByteSpan left_;
  std::size_t items_ = 0;
};

const Cbor* find_key(const Cbor& map, const Cbor& key) {
  if (!map.is(Cbor::Type::map)) return nullptr;
  for (std::size_t i = 0; i + 1 < map.items.size(); i += 2)
    if (map.items[i] == key) return &map.items[i + 1];
  return nullptr;
}

}  // namespace

Result<Cbor> parse_cbor(ByteSpan bytes) {
  Parser parser(bytes);
  Cbor item = TRY(parser.item(1));
  if (!parser.at_end()) return Error(ErrorKind::malformed, "CBOR: bytes after the end");
  return item;
}

const Cbor* find_text_key(const Cbor& map, std::string_view key) {
  return find_key(map, {.type = Cbor::Type::text, .text = std::string(key)});
}

const Cbor* find_number_key(const Cbor& map, std::uint64_t key) {
  return find_key(map, {.type = Cbor::Type::unsigned_integer, .number = key});
}

template <typename Encode, typename Value>
CborWriter& CborWriter::head(Encode encode, Value value) {
  std::array<unsigned char, 9> buffer{};
  const std::size_t size = encode(value, buffer.data(), buffer.size());
  append({reinterpret_cast<const std::byte*>(buffer.data()), size});
  return *this;
}

CborWriter& CborWriter::number(std::int64_t value) {
  return value < 0 ? head(cbor_encode_negint, static_cast<std::uint64_t>(-1 - value))
                   : head(cbor_encode_uint, static_cast<std::uint64_t>(value));
}

CborWriter& CborWriter::bytes(ByteSpan value) {
  head(cbor_encode_bytestring_start, value.size());
  append(value);
  return *this;
}

CborWriter& CborWriter::text(std::string_view value) {
  head(cbor_encode_string_start, value.size());
  append(as_bytes(value));
  return *this;
}

CborWriter& CborWriter::array(std::size_t items) {
  return head(cbor_encode_array_start, items);
}

CborWriter& CborWriter::map(std::size_t pairs) {
  return head(cbor_encode_map_start, pairs);
}

CborWriter& CborWriter::tag(std::uint64_t value) {
  return head(cbor_encode_tag, value);
}

}  // namespace intact::sign
