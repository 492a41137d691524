#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "block_mac_kinds.h"
#include "evp.h"

namespace intact::crypto {
namespace {

/// AES-CMAC by OpenSSL, one message after the other.
class Cmac final : public BlockMac {
 public:
  Cmac(EVP_MAC_CTX* keyed, std::size_t block_size, MessageFrame frame)
      : keyed_(keyed), block_size_(block_size), frame_(std::move(frame)) {}
  ~Cmac() override { EVP_MAC_CTX_free(keyed_); }
  Cmac(const Cmac&) = delete;
  Cmac& operator=(const Cmac&) = delete;

  std::size_t digest_size() const override { return kSize; }

  void hash(ByteSpan blocks, ByteSpan heads, MutableByteSpan digests) const override {
    for (std::size_t i = 0; i < blocks.size() / block_size_; ++i) {
      EVP_MAC_CTX* const ctx = EVP_MAC_CTX_dup(keyed_);
      require_hash(ctx != nullptr);
      update(ctx, frame_.prefix);
      update(ctx, heads.subspan(i * frame_.head_size, frame_.head_size));
      update(ctx, blocks.subspan(i * block_size_, block_size_));
      update(ctx, frame_.suffix);
      std::size_t size = 0;
      require_hash(EVP_MAC_final(ctx, reinterpret_cast<unsigned char*>(digests.data() + i * kSize),
                                 &size, kSize) == 1);
      EVP_MAC_CTX_free(ctx);
    }
  }

 private:
  static constexpr std::size_t kSize = 16;

  static void update(EVP_MAC_CTX* ctx, ByteSpan span) {
    require_hash(
        EVP_MAC_update(ctx, reinterpret_cast<const unsigned char*>(span.data()), span.size()) == 1);
  }

  EVP_MAC_CTX* keyed_;
  std::size_t block_size_;
  MessageFrame frame_;
};

}  // namespace

Result<std::unique_ptr<const BlockMac>> make_cmac(ByteSpan key, std::size_t block_size,
                                                  MessageFrame frame) {
  if (key.size() != 16 && key.size() != 24 && key.size() != 32)
    return Error(ErrorKind::bad_secret,
                 fmt::format("cmac(aes) takes a key of 16, 24 or 32 bytes, not {}", key.size()));
  EVP_MAC* const method = EVP_MAC_fetch(nullptr, "CMAC", nullptr);
  require_hash(method != nullptr);
  EVP_MAC_CTX* const ctx = EVP_MAC_CTX_new(method);
  EVP_MAC_free(method);
  std::string cipher = fmt::format("AES-{}-CBC", key.size() * 8);
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, cipher.data(), 0),
      OSSL_PARAM_construct_end()};
  require_hash(ctx != nullptr &&
               EVP_MAC_init(ctx, reinterpret_cast<const unsigned char*>(key.data()), key.size(),
                            params) == 1);
  return std::make_unique<const Cmac>(ctx, block_size, std::move(frame));
}

}  // namespace intact::crypto
