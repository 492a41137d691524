#include "block_digester.h"

namespace intact::verity {

Result<BlockDigester> BlockDigester::create(const Params& params, std::size_t block_size) {
  return BlockDigester(params, block_size, TRY(crypto::HashFunction::find(params.hash)));
}

BlockDigester::BlockDigester(const Params& params, std::size_t block_size,
                             crypto::HashFunction function)
    : function_(function),
      block_size_(block_size),
      salt_(params.salt),
      hash_type_(params.hash_type) {
  if (hash_type_ != HashType::normal && !salt_.empty()) return;
  for (const auto algorithm : {HashAlgorithm::sha256, HashAlgorithm::sha512})
    if (function_.name() == to_string(algorithm)) many_.emplace(algorithm, block_size, salt_);
}

void BlockDigester::digest(ByteSpan blocks, MutableByteSpan digests) const {
  if (many_) return many_->hash(blocks, digests);
  for (std::size_t i = 0; i * block_size_ < blocks.size(); ++i) {
    const ByteSpan block = blocks.subspan(i * block_size_, block_size_);
    const MutableByteSpan digest = digests.subspan(i * digest_size(), digest_size());
    if (hash_type_ == HashType::normal)
      function_.hash({salt_, block}, digest);
    else
      function_.hash({block, salt_}, digest);
  }
}

}  // namespace intact::verity
