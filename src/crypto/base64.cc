#include <algorithm>
#include <array>
#include <cstdint>

#include <intact/crypto/base64.h>

namespace intact::crypto {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> kValues = [] {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i)
    values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::int8_t>(i);
  return values;
}();

Error bad_base64() {
  return Error(ErrorKind::malformed, "not valid base64");
}

/// Size of what `text` decodes to, by its length and padding alone.
Result<std::size_t> decoded_size(std::string_view text) {
  if (text.size() % 4 != 0) return bad_base64();
  std::size_t padding = 0;
  if (text.ends_with("=")) ++padding;
  if (text.ends_with("==")) ++padding;
  return text.size() / 4 * 3 - padding;
}

Result<void> decode_into(std::string_view text, MutableByteSpan out) {
  std::size_t written = 0;
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const std::size_t wanted = std::min<std::size_t>(3, out.size() - written);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 4; ++j) {
      const bool is_padding = j > wanted;
      const int value = is_padding ? 0 : kValues[static_cast<unsigned char>(text[i + j])];
      if (value < 0) return bad_base64();
      group = group << 6 | static_cast<std::uint32_t>(value);
    }
    for (std::size_t j = 0; j < wanted; ++j)
      out[written++] = static_cast<std::byte>(group >> (16 - 8 * j));
    // Bits behind the last byte must be zero, or one value would have several spellings.
    if (wanted < 3 && (group & ((1U << (24 - 8 * wanted)) - 1)) != 0) return bad_base64();
  }
  return {};
}

}  // namespace

std::string encode_base64(ByteSpan bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j)
      group = group << 8 | (j < count ? std::to_integer<std::uint32_t>(bytes[i + j]) : 0U);
    for (std::size_t j = 0; j < 4; ++j)
      text += j > count ? '=' : kAlphabet[group >> (18 - 6 * j) & 63];
  }
  return text;
}

Result<Bytes> decode_base64(std::string_view text) {
  Bytes bytes(TRY(decoded_size(text)));
  TRY(decode_into(text, bytes));
  return bytes;
}

std::string encode_base64url(ByteSpan bytes) {
  std::string text = encode_base64(bytes);
  while (text.ends_with('=')) text.pop_back();
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

Result<Bytes> decode_base64url(std::string_view text) {
  std::string standard(text);
  for (char& c : standard) {
    if (c == '+' || c == '/' || c == '=') return bad_base64();
    c = c == '-' ? '+' : c == '_' ? '/' : c;
  }
  standard.append((4 - standard.size() % 4) % 4, '=');
  return decode_base64(standard);
}

Result<Secret> decode_base64_secret(std::string_view text) {
  Secret secret(TRY(decoded_size(text)));
  TRY(decode_into(text, secret.expose()));
  return secret;
}

}  // namespace intact::crypto
