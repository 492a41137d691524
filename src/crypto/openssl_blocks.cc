#include "block_engine.h"

namespace intact::crypto {
namespace {

/// One block after the other.
class OpensslBlocks final : public BlockEngine {
 public:
  OpensslBlocks(const EVP_MD* method, const BlockShape& shape)
      : method_(const_cast<EVP_MD*>(method)), shape_(shape) {
    EVP_MD_up_ref(method_);
  }
  ~OpensslBlocks() override { EVP_MD_free(method_); }
  OpensslBlocks(const OpensslBlocks&) = delete;
  OpensslBlocks& operator=(const OpensslBlocks&) = delete;

  void hash(const std::byte* blocks, const std::byte* heads, std::byte* digests,
            std::size_t count) const override {
    const auto& [prefix, head_size, suffix] = shape_.frame;
    const auto size = static_cast<std::size_t>(EVP_MD_get_size(method_));
    EVP_MD_CTX* ctx = thread_hash_context();
    const auto update = [ctx](const std::byte* bytes, std::size_t n) {
      require_hash(n == 0 || EVP_DigestUpdate(ctx, bytes, n) == 1);
    };
    for (std::size_t i = 0; i < count; ++i) {
      require_hash(EVP_DigestInit_ex2(ctx, method_, nullptr) == 1);
      update(prefix.data(), prefix.size());
      if (head_size != 0) update(heads + i * head_size, head_size);
      update(blocks + i * shape_.block_size, shape_.block_size);
      update(suffix.data(), suffix.size());
      require_hash(EVP_DigestFinal_ex(ctx, reinterpret_cast<unsigned char*>(digests + i * size),
                                      nullptr) == 1);
    }
    // Overwrites the state, which outlives this call: what was hashed may be a key.
    require_hash(EVP_DigestInit_ex2(ctx, method_, nullptr) == 1);
  }

 private:
  EVP_MD* method_;
  BlockShape shape_;
};

}  // namespace

std::unique_ptr<BlockEngine> make_openssl_engine(const EVP_MD* method, const BlockShape& shape) {
  return std::make_unique<OpensslBlocks>(method, shape);
}

}  // namespace intact::crypto
