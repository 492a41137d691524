#pragma once

#include <intact/base/bytes.h>
#include <intact/base/digest.h>

namespace intact::crypto {

/// Incremental hash of a stream. Movable; not thread-safe. Hash functions are always available
/// here, so nothing fails: a missing provider ends the program at the first use. The state is wiped
/// when a hash is finished and when a Hasher is destroyed.
class Hasher {
 public:
  explicit Hasher(HashAlgorithm algorithm = HashAlgorithm::sha256);
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  ~Hasher();

  Hasher& update(ByteSpan bytes);
  Digest finish();  ///< and starts again

 private:
  HashAlgorithm algorithm_;
  void* context_;  // EVP_MD_CTX
};

Digest hash(HashAlgorithm algorithm, ByteSpan bytes);
inline Digest sha256(ByteSpan bytes) {
  return hash(HashAlgorithm::sha256, bytes);
}

}  // namespace intact::crypto
