#include "gcrypt_blocks.h"

#include <cstring>

#include <gcrypt.h>

#include "gcrypt_library.h"

namespace intact::crypto {
namespace {

class GcryptBlocks final : public BlockEngine {
 public:
  GcryptBlocks(int algorithm, const BlockShape& shape)
      : algorithm_(algorithm), digest_size_(gcry_md_get_algo_dlen(algorithm)), shape_(shape) {}

  void hash(const std::byte* blocks, const std::byte* heads, std::byte* digests,
            std::size_t count) const override {
    const auto& [prefix, head_size, suffix] = shape_.frame;
    gcry_md_hd_t state = nullptr;
    require_done(gcry_md_open(&state, algorithm_, 0) == 0);
    for (std::size_t i = 0; i < count; ++i) {
      gcry_md_reset(state);
      gcry_md_write(state, prefix.data(), prefix.size());
      if (head_size != 0) gcry_md_write(state, heads + i * head_size, head_size);
      gcry_md_write(state, blocks + i * shape_.block_size, shape_.block_size);
      gcry_md_write(state, suffix.data(), suffix.size());
      std::memcpy(digests + i * digest_size_, gcry_md_read(state, algorithm_), digest_size_);
    }
    gcry_md_close(state);
  }

 private:
  int algorithm_;
  std::size_t digest_size_;
  BlockShape shape_;
};

}  // namespace

std::size_t gcrypt_digest_size(const char* name) {
  require_gcrypt();
  const int algorithm = gcry_md_map_name(name);
  if (algorithm == 0 || gcry_md_test_algo(algorithm) != 0) return 0;
  return gcry_md_get_algo_dlen(algorithm);
}

std::unique_ptr<BlockEngine> make_gcrypt_engine(const char* name, const BlockShape& shape) {
  require_gcrypt();
  return std::make_unique<GcryptBlocks>(gcry_md_map_name(name), shape);
}

}  // namespace intact::crypto
