#pragma once

#include <cstddef>
#include <memory>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/crypto/block_hasher.h>
#include <intact/integrity/params.h>

namespace intact::integrity {

/// Any function that Linux takes as internal hash or journal MAC, over many messages of one length:
/// checksums ("crc32c", "crc32", "xxhash64", a key replacing their start value) and all of
/// crypto::BlockMac. Thread-safe.
class MessageHash {
 public:
  /// A message is frame.prefix, a head, a block, frame.suffix. Errors as BlockMac::create().
  static Result<std::unique_ptr<const MessageHash>> create(const Algorithm& algorithm,
                                                           std::size_t block_size,
                                                           crypto::MessageFrame frame);
  virtual ~MessageHash() = default;

  virtual std::size_t digest_size() const = 0;  ///< bytes
  /// As crypto::BlockHasher::hash().
  virtual void hash(ByteSpan blocks, ByteSpan heads, MutableByteSpan digests) const = 0;
};

}  // namespace intact::integrity
