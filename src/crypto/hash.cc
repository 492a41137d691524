#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include <openssl/evp.h>

#include <intact/crypto/hash.h>

namespace intact::crypto {
namespace {

void require(bool ok) {
  if (ok) return;
  std::fputs("intact: OpenSSL cannot hash; its configuration disables the default provider\n",
             stderr);
  std::abort();
}

/// Fetched once: looking an algorithm up takes longer than hashing a small block.
const EVP_MD* method(HashAlgorithm algorithm) {
  static const EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  static const EVP_MD* const sha512 = EVP_MD_fetch(nullptr, "SHA512", nullptr);
  const EVP_MD* md = algorithm == HashAlgorithm::sha256 ? sha256 : sha512;
  require(md != nullptr);
  return md;
}

EVP_MD_CTX* context(void* p) {
  return static_cast<EVP_MD_CTX*>(p);
}

/// A context for each thread, for hashes that begin and end within one call.
EVP_MD_CTX* thread_context() {
  struct Holder {
    EVP_MD_CTX* ctx = EVP_MD_CTX_new();
    ~Holder() { EVP_MD_CTX_free(ctx); }
  };
  static thread_local Holder holder;
  require(holder.ctx != nullptr);
  return holder.ctx;
}

}  // namespace

Hasher::Hasher(HashAlgorithm algorithm) : algorithm_(algorithm), context_(EVP_MD_CTX_new()) {
  require(context_ && EVP_DigestInit_ex2(context(context_), method(algorithm_), nullptr) == 1);
}

Hasher::Hasher(Hasher&& other) noexcept
    : algorithm_(other.algorithm_), context_(std::exchange(other.context_, nullptr)) {}

Hasher& Hasher::operator=(Hasher&& other) noexcept {
  std::swap(algorithm_, other.algorithm_);
  std::swap(context_, other.context_);
  return *this;
}

Hasher::~Hasher() {
  EVP_MD_CTX_free(context(context_));
}

Hasher& Hasher::update(ByteSpan bytes) {
  require(EVP_DigestUpdate(context(context_), bytes.data(), bytes.size()) == 1);
  return *this;
}

Digest Hasher::finish() {
  std::array<std::byte, EVP_MAX_MD_SIZE> out;
  require(EVP_DigestFinal_ex(context(context_), reinterpret_cast<unsigned char*>(out.data()),
                             nullptr) == 1);
  require(EVP_DigestInit_ex2(context(context_), method(algorithm_), nullptr) == 1);
  return Digest(algorithm_, ByteSpan(out).first(digest_size(algorithm_)));
}

Digest hash(HashAlgorithm algorithm, ByteSpan bytes) {
  std::array<std::byte, 64> out;
  BlockHasher(algorithm, bytes.size())
      .hash(bytes, MutableByteSpan(out).first(digest_size(algorithm)));
  return Digest(algorithm, ByteSpan(out).first(digest_size(algorithm)));
}

BlockHasher::BlockHasher(HashAlgorithm algorithm, std::size_t block_size, ByteSpan prefix)
    : algorithm_(algorithm), block_size_(block_size), prefix_(prefix.begin(), prefix.end()) {}

void BlockHasher::hash(ByteSpan blocks, MutableByteSpan digests) const {
  const std::size_t size = digest_size(algorithm_);
  const std::size_t count = digests.size() / size;
  assert(digests.size() == count * size && blocks.size() == count * block_size_);
  EVP_MD_CTX* ctx = thread_context();
  for (std::size_t i = 0; i < count; ++i) {
    require(EVP_DigestInit_ex2(ctx, method(algorithm_), nullptr) == 1 &&
            EVP_DigestUpdate(ctx, prefix_.data(), prefix_.size()) == 1 &&
            EVP_DigestUpdate(ctx, blocks.data() + i * block_size_, block_size_) == 1 &&
            EVP_DigestFinal_ex(ctx, reinterpret_cast<unsigned char*>(digests.data() + i * size),
                               nullptr) == 1);
  }
}

}  // namespace intact::crypto
