#include <array>
#include <utility>

#include <intact/crypto/hash.h>
#include <intact/crypto/secret.h>

#include "evp.h"

namespace intact::crypto {
namespace {

EVP_MD_CTX* context(void* p) {
  return static_cast<EVP_MD_CTX*>(p);
}

Digest finish_hash(EVP_MD_CTX* ctx, HashAlgorithm algorithm) {
  std::array<std::byte, EVP_MAX_MD_SIZE> out;
  // Starting again overwrites the state: what was hashed may be a key.
  require_hash(EVP_DigestFinal_ex(ctx, reinterpret_cast<unsigned char*>(out.data()), nullptr) ==
                   1 &&
               EVP_DigestInit_ex2(ctx, hash_method(algorithm), nullptr) == 1);
  const Digest digest(algorithm, ByteSpan(out).first(digest_size(algorithm)));
  wipe(out);
  return digest;
}

}  // namespace

Hasher::Hasher(HashAlgorithm algorithm) : algorithm_(algorithm), context_(EVP_MD_CTX_new()) {
  require_hash(context_ &&
               EVP_DigestInit_ex2(context(context_), hash_method(algorithm_), nullptr) == 1);
}

Hasher::Hasher(Hasher&& other) noexcept
    : algorithm_(other.algorithm_), context_(std::exchange(other.context_, nullptr)) {}

Hasher& Hasher::operator=(Hasher&& other) noexcept {
  std::swap(algorithm_, other.algorithm_);
  std::swap(context_, other.context_);
  return *this;
}

Hasher::~Hasher() {
  // OpenSSL wipes the state that it releases.
  EVP_MD_CTX_free(context(context_));
}

Hasher& Hasher::update(ByteSpan bytes) {
  require_hash(EVP_DigestUpdate(context(context_), bytes.data(), bytes.size()) == 1);
  return *this;
}

Digest Hasher::finish() {
  return finish_hash(context(context_), algorithm_);
}

Digest hash(HashAlgorithm algorithm, ByteSpan bytes) {
  EVP_MD_CTX* ctx = thread_hash_context();
  require_hash(EVP_DigestInit_ex2(ctx, hash_method(algorithm), nullptr) == 1 &&
               EVP_DigestUpdate(ctx, bytes.data(), bytes.size()) == 1);
  return finish_hash(ctx, algorithm);
}

}  // namespace intact::crypto
