#include <cassert>
#include <utility>

#include <intact/crypto/block_hasher.h>

#include "block_engine.h"

namespace intact::crypto {

BlockHasher::BlockHasher(std::size_t block_size, std::size_t head_size, std::size_t digest_size,
                         std::shared_ptr<const BlockEngine> engine)
    : block_size_(block_size),
      head_size_(head_size),
      digest_size_(digest_size),
      engine_(std::move(engine)) {}

BlockHasher::BlockHasher(HashAlgorithm algorithm, std::size_t block_size, MessageFrame frame,
                         std::optional<HashEngine> engine)
    : block_size_(block_size),
      head_size_(frame.head_size),
      digest_size_(intact::digest_size(algorithm)),
      engine_(make_engine(algorithm, {block_size, std::move(frame)}, engine)) {}

Result<BlockHasher> BlockHasher::create(const std::string& name, std::size_t block_size,
                                        MessageFrame frame) {
  const std::unique_ptr<EVP_MD, decltype(&EVP_MD_free)> method(
      EVP_MD_fetch(nullptr, name.c_str(), nullptr), EVP_MD_free);
  // Those that give as much as one asks for have no digest of their own.
  if (!method || (EVP_MD_get_flags(method.get()) & EVP_MD_FLAG_XOF) != 0)
    return Error(ErrorKind::unsupported, "no hash function " + name);
  for (const HashAlgorithm ours : {HashAlgorithm::sha256, HashAlgorithm::sha512})
    if (EVP_MD_is_a(method.get(), EVP_MD_get0_name(hash_method(ours))))
      return BlockHasher(ours, block_size, std::move(frame));
  const std::size_t head_size = frame.head_size;
  return BlockHasher(block_size, head_size, static_cast<std::size_t>(EVP_MD_get_size(method.get())),
                     make_openssl_engine(method.get(), {block_size, std::move(frame)}));
}

void BlockHasher::hash(ByteSpan blocks, ByteSpan heads, MutableByteSpan digests) const {
  const std::size_t count = digests.size() / digest_size_;
  assert(digests.size() == count * digest_size_ && blocks.size() == count * block_size_ &&
         heads.size() == count * head_size_);
  engine_->hash(blocks.data(), heads.data(), digests.data(), count);
}

}  // namespace intact::crypto
