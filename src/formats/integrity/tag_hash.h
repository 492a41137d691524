#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/integrity/params.h>

namespace intact::integrity {

class MessageHash;

/// The internal hash: computes the tags of blocks. A tag is the digest of the salt (if any), the
/// block's logical sector as 64 bits, and the block; truncated to the tag size or padded with
/// zeros. Thread-safe.
class TagHash {
 public:
  struct Shape {
    std::uint32_t block_size;                            ///< bytes
    std::uint32_t tag_size;                              ///< bytes
    std::optional<std::array<std::byte, 16>> salt = {};  ///< of a superblock with fixed_hmac
  };
  /// Errors: unsupported for unknown names, bad_secret for a missing or rejected key.
  static Result<std::unique_ptr<const TagHash>> create(const Algorithm& algorithm,
                                                       const Shape& shape);
  ~TagHash();

  std::uint32_t tag_size() const { return shape_.tag_size; }
  std::size_t digest_size() const;  ///< bytes

  /// Computes a tag for each of the whole `blocks`, which start at block number `first`.
  void compute(std::uint64_t first, ByteSpan blocks, MutableByteSpan tags) const;

 private:
  TagHash(std::unique_ptr<const MessageHash> hash, Shape shape);
  void compute_some(std::uint64_t first, ByteSpan blocks, MutableByteSpan tags) const;

  std::unique_ptr<const MessageHash> hash_;
  Shape shape_;
};

}  // namespace intact::integrity
