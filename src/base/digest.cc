#include <algorithm>
#include <cassert>

#include <intact/base/digest.h>

namespace intact {

std::string_view to_string(HashAlgorithm algorithm) {
  return algorithm == HashAlgorithm::sha256 ? "sha256" : "sha512";
}

Digest::Digest(HashAlgorithm algorithm, ByteSpan bytes) : algorithm_(algorithm) {
  assert(bytes.size() == digest_size(algorithm));
  std::copy(bytes.begin(), bytes.end(), bytes_.begin());
}

Result<Digest> Digest::create(HashAlgorithm algorithm, ByteSpan bytes) {
  if (bytes.size() != digest_size(algorithm))
    return Error(ErrorKind::malformed, "digest with a wrong length");
  return Digest(algorithm, bytes);
}

static bool is_lower_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

static bool is_algorithm_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '+' || c == '.' || c == '_' ||
           c == '-';
  });
}

Result<Digest> Digest::parse(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || !is_algorithm_name(text.substr(0, colon)))
    return Error(ErrorKind::malformed,
                 "not a digest (want sha256:HEX): '" + std::string(text.substr(0, 200)) + "'");
  const std::string_view name = text.substr(0, colon);
  const std::string_view hex = text.substr(colon + 1);
  HashAlgorithm algorithm;
  if (name == "sha256") {
    algorithm = HashAlgorithm::sha256;
  } else if (name == "sha512") {
    algorithm = HashAlgorithm::sha512;
  } else {
    return Error(ErrorKind::unsupported,
                 "digest algorithm '" + std::string(name.substr(0, 64)) + "' is not supported");
  }
  if (hex.size() != 2 * digest_size(algorithm) || !is_lower_hex(hex))
    return Error(ErrorKind::malformed, "not a " + std::string(name) + " digest: '" +
                                           std::string(text.substr(0, 200)) + "'");
  return create(algorithm, TRY(from_hex(hex)));
}

Result<Digest> Digest::parse_hex(std::string_view hex) {
  if (hex.size() != 64 && hex.size() != 128)
    return Error(ErrorKind::malformed,
                 "want a digest of 64 or 128 hex digits, not " + std::to_string(hex.size()));
  return create(hex.size() == 64 ? HashAlgorithm::sha256 : HashAlgorithm::sha512,
                TRY(from_hex(hex)));
}

std::string Digest::to_string() const {
  return std::string(intact::to_string(algorithm_)) + ":" + hex();
}

}  // namespace intact
