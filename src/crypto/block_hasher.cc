#include <cassert>
#include <utility>

#include <intact/crypto/block_hasher.h>

#include "block_engine.h"
#include "gcrypt_blocks.h"

namespace intact::crypto {

namespace {

std::unique_ptr<BlockEngine> engine_for(const HashFunction& function, const BlockShape& shape) {
  if (function.library == HashLibrary::libgcrypt)
    return make_gcrypt_engine(function.library_name, shape);
  const std::unique_ptr<EVP_MD, decltype(&EVP_MD_free)> method(
      EVP_MD_fetch(nullptr, function.library_name, nullptr), EVP_MD_free);
  require_hash(method != nullptr);
  for (const HashAlgorithm ours : {HashAlgorithm::sha256, HashAlgorithm::sha512})
    if (EVP_MD_is_a(method.get(), EVP_MD_get0_name(hash_method(ours))))
      return make_engine(ours, shape, {});
  return make_openssl_engine(method.get(), shape);
}

}  // namespace

BlockHasher::BlockHasher(HashAlgorithm algorithm, std::size_t block_size, MessageFrame frame,
                         std::optional<HashEngine> engine)
    : block_size_(block_size),
      head_size_(frame.head_size),
      digest_size_(intact::digest_size(algorithm)),
      engine_(make_engine(algorithm, {block_size, std::move(frame)}, engine)) {}

BlockHasher::BlockHasher(const HashFunction& function, std::size_t block_size, MessageFrame frame)
    : block_size_(block_size),
      head_size_(frame.head_size),
      digest_size_(function.digest_size),
      engine_(engine_for(function, {block_size, std::move(frame)})) {}

void BlockHasher::hash(ByteSpan blocks, ByteSpan heads, MutableByteSpan digests) const {
  const std::size_t count = digests.size() / digest_size_;
  assert(digests.size() == count * digest_size_ && blocks.size() == count * block_size_ &&
         heads.size() == count * head_size_);
  engine_->hash(blocks.data(), heads.data(), digests.data(), count);
}

}  // namespace intact::crypto
