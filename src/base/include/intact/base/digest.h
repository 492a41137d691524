#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include <intact/base/bytes.h>
#include <intact/base/result.h>

namespace intact {

/// The hash functions that name content here. Values are those of fs-verity (FS_VERITY_HASH_ALG_*).
enum class HashAlgorithm : std::uint8_t { sha256 = 1, sha512 = 2 };

constexpr std::size_t digest_size(HashAlgorithm algorithm) {
  return algorithm == HashAlgorithm::sha256 ? 32 : 64;
}

std::string_view to_string(HashAlgorithm algorithm);

/// A hash value together with the function that made it. Digests of content are public:
/// comparison is ordinary. The holder knows what was hashed (a blob, an fs-verity descriptor).
class Digest {
 public:
  /// A placeholder in structs that are filled in later: no content has this digest (all zero).
  Digest() = default;
  /// `bytes` must have exactly digest_size(algorithm) bytes.
  Digest(HashAlgorithm algorithm, ByteSpan bytes);
  static Result<Digest> create(HashAlgorithm algorithm, ByteSpan bytes);

  /// "sha256:" and 64 lower-case hex digits, as OCI writes it; sha512 likewise.
  /// malformed when it does not have this form; unsupported for another algorithm.
  static Result<Digest> parse(std::string_view text);
  /// Bare hex of either case; the algorithm follows from the length (64 or 128 digits).
  static Result<Digest> parse_hex(std::string_view hex);

  HashAlgorithm algorithm() const { return algorithm_; }
  ByteSpan bytes() const { return ByteSpan(bytes_).first(digest_size(algorithm_)); }
  std::string hex() const { return to_hex(bytes()); }
  std::string to_string() const;  ///< "sha256:HEX"

  auto operator<=>(const Digest&) const = default;
  /// As by default, which compares byte by byte.
  bool operator==(const Digest& other) const {
    return algorithm_ == other.algorithm_ &&
           std::memcmp(bytes_.data(), other.bytes_.data(), bytes_.size()) == 0;
  }

 private:
  HashAlgorithm algorithm_ = HashAlgorithm::sha256;
  std::array<std::byte, 64> bytes_{};  // unused tail is zero
};

}  // namespace intact

template <>
struct std::hash<intact::Digest> {
  std::size_t operator()(const intact::Digest& digest) const noexcept {
    std::size_t value;
    std::memcpy(&value, digest.bytes().data(), sizeof value);
    return value;
  }
};
