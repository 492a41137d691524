#pragma once

#include <cstddef>
#include <memory>

#include <intact/base/bytes.h>
#include <intact/base/digest.h>

namespace intact::crypto {

/// Incremental hash of a stream. Movable; not thread-safe. Hash functions are always available
/// here, so nothing fails: a missing provider ends the program at the first use.
class Hasher {
 public:
  explicit Hasher(HashAlgorithm algorithm = HashAlgorithm::sha256);
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  ~Hasher();

  Hasher& update(ByteSpan bytes);
  Digest finish();  ///< and starts anew

 private:
  HashAlgorithm algorithm_;
  void* context_;  // EVP_MD_CTX
};

Digest hash(HashAlgorithm algorithm, ByteSpan bytes);
inline Digest sha256(ByteSpan bytes) {
  return hash(HashAlgorithm::sha256, bytes);
}

/// Hashes many messages of one length, each behind the same prefix (a padded salt): the work of
/// every hash tree. Thread-safe: one may be shared by many threads.
class BlockHasher {
 public:
  /// `block_size` in bytes. The prefix is copied.
  BlockHasher(HashAlgorithm algorithm, std::size_t block_size, ByteSpan prefix = {});

  HashAlgorithm algorithm() const { return algorithm_; }
  std::size_t block_size() const { return block_size_; }

  /// `blocks` holds n whole blocks one behind the other; `digests` gets n digests, digest_size()
  /// bytes each.
  void hash(ByteSpan blocks, MutableByteSpan digests) const;

 private:
  HashAlgorithm algorithm_;
  std::size_t block_size_;
  Bytes prefix_;
};

}  // namespace intact::crypto
