#include <algorithm>
#include <array>

#include <intact/base/bytes.h>
#include <intact/store/name.h>

namespace intact::store {
namespace {

// Room for ".json" and for the dot and random end of a temporary file's name.
constexpr std::size_t kMaxEncoded = 200;

// What a SOURCE begins with: product-wide these win over names.
constexpr std::array<std::string_view, 6> kTransports = {
    "oci:", "oci-archive:", "docker-archive:", "docker://", "rootfs:", "tar:"};

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         (c != '\0' && std::string_view("-_.:@+=,~").find(c) != std::string_view::npos);
}

/// Whether a digest after @ is one that store::resolve_image() compares.
bool is_compared(std::string_view digest) {
  if (digest.starts_with("sha256:")) digest.remove_prefix(7);
  return digest.size() <= 64 &&
         digest.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// Decodes one UTF-8 sequence at the front of `text`: its length, 0 if it is invalid.
std::size_t decode_utf8(std::string_view text, char32_t& code) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) {
    code = lead;
    return 1;
  }
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0;
  if (length == 0 || lead > 0xf4 || text.size() < length) return 0;
  code = lead & (0xffu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xc0) != 0x80) return 0;
    code = code << 6 | (next & 0x3f);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kSmallest[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return 0;
  return length;
}

Error refuse(std::string_view why) {
  return Error(ErrorKind::invalid_argument, "not a name for an image: " + std::string(why));
}

}  // namespace

bool is_digest_form(std::string_view text) {
  constexpr std::array<std::string_view, 3> kAlgorithms = {"sha256:", "sha384:", "sha512:"};
  const auto same_letter = [](char a, char b) {
    return a == b || (a >= 'A' && a <= 'Z' && a - 'A' + 'a' == b);
  };
  for (const std::string_view algorithm : kAlgorithms)
    if (text.size() >= algorithm.size() &&
        std::ranges::equal(text.substr(0, algorithm.size()), algorithm, same_letter))
      return true;
  return text.size() >= kMinBareDigest &&
         text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

Result<void> check_name(std::string_view name) {
  if (name.empty()) return refuse("it is empty");
  if (encode_name(name).size() > kMaxEncoded)
    return refuse("it is longer than " + std::to_string(kMaxEncoded) +
                  " bytes (all but letters, digits and -_.:@+=,~ count three times)");
  for (std::string_view rest = name; !rest.empty();) {
    char32_t code = 0;
    const std::size_t length = decode_utf8(rest, code);
    if (length == 0) return refuse("it is not UTF-8");
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return refuse("it has a control character");
    rest.remove_prefix(length);
  }
  const std::string quoted = "'" + std::string(name) + "' ";
  if (name.front() == ' ' || name.back() == ' ')
    return refuse(quoted + "begins or ends with a space");
  if (name.front() == '-') return refuse(quoted + "begins with '-', as options do");
  if (is_digest_form(name)) return refuse(quoted + "means the image with that digest");
  if (const std::size_t at = name.rfind('@'); at != std::string_view::npos) {
    const std::string_view digest = name.substr(at + 1);
    if (is_digest_form(digest) && !is_compared(digest))
      return refuse(quoted +
                    "ends in a digest that cannot be compared; write @sha256: and its "
                    "digits in lower case");
  }
  for (const std::string_view transport : kTransports) {
    if (name.starts_with(transport))
      return refuse(quoted + "begins with '" + std::string(transport) +
                    "', which marks a source; `intact pull` gives it a name in the store");
  }
  return {};
}

std::string encode_name(std::string_view name) {
  std::string encoded;
  for (const char c : name) {
    if (is_plain(c) && !(c == '.' && encoded.empty())) {
      encoded += c;
    } else {
      encoded += '%';
      encoded += to_hex(as_bytes(std::string_view(&c, 1)));
    }
  }
  return encoded;
}

Result<std::string> decode_name(std::string_view encoded) {
  std::string name;
  for (std::size_t i = 0; i < encoded.size(); ++i) {
    if (encoded[i] != '%') {
      name += encoded[i];
      continue;
    }
    name += as_text(TRY(from_hex(encoded.substr(i + 1, 2))));
    i += 2;
  }
  if (encode_name(name) != encoded)
    return Error(ErrorKind::malformed, "'" + std::string(encoded) + "' is not an encoded name");
  return name;
}

}  // namespace intact::store
