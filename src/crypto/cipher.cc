#include <algorithm>
#include <array>
#include <cassert>
#include <limits>
#include <string>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <intact/base/endian.h>
#include <intact/crypto/cipher.h>
#include <intact/crypto/secret.h>

#include "evp.h"

namespace intact::crypto {
namespace {

enum class CounterForm { none, big_endian_128, little_endian_32 };

struct CipherKind {
  std::string_view name;
  std::string_view openssl;  // {} is the key's size in bits, of one half for xts
  unsigned keys;             // 2 for xts
  CounterForm counter;
};

constexpr CipherKind kKinds[] = {
    {"cbc(aes)", "AES-{}-CBC", 1, CounterForm::none},
    {"ctr(aes)", "AES-{}-CTR", 1, CounterForm::big_endian_128},
    {"xts(aes)", "AES-{}-XTS", 2, CounterForm::none},
    {"ecb(aes)", "AES-{}-ECB", 1, CounterForm::none},
    {"cbc(camellia)", "CAMELLIA-{}-CBC", 1, CounterForm::none},
    {"ctr(camellia)", "CAMELLIA-{}-CTR", 1, CounterForm::big_endian_128},
    {"ecb(camellia)", "CAMELLIA-{}-ECB", 1, CounterForm::none},
    {"chacha20", "ChaCha20", 1, CounterForm::little_endian_32},
};

const unsigned char* raw(ByteSpan bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

class OpensslCipher final : public Cipher {
 public:
  OpensslCipher(EVP_CIPHER* method, Secret key, CounterForm counter)
      : method_(method), key_(std::move(key)), counter_(counter) {}
  ~OpensslCipher() override { EVP_CIPHER_free(method_); }
  OpensslCipher(const OpensslCipher&) = delete;
  OpensslCipher& operator=(const OpensslCipher&) = delete;

  std::size_t block_size() const override {
    // OpenSSL takes XTS for a stream cipher; the kernel does not.
    if (EVP_CIPHER_get_mode(method_) == EVP_CIPH_XTS_MODE) return 16;
    return static_cast<std::size_t>(EVP_CIPHER_get_block_size(method_));
  }
  std::size_t iv_size() const override {
    return static_cast<std::size_t>(EVP_CIPHER_get_iv_length(method_));
  }
  void encrypt(ByteSpan iv, ByteSpan in, MutableByteSpan out) const override {
    crypt(iv, in, out, 1);
  }
  void decrypt(ByteSpan iv, ByteSpan in, MutableByteSpan out) const override {
    crypt(iv, in, out, 0);
  }

  void xor_keystream(std::uint64_t position, MutableByteSpan bytes) const override {
    assert(counter_ != CounterForm::none && position % 64 == 0);
    std::array<std::byte, 16> iv{};
    if (counter_ == CounterForm::big_endian_128)
      std::ranges::copy(bytes_of(be64(position / 16)), iv.begin() + 8);
    else
      std::ranges::copy(bytes_of(le32(static_cast<std::uint32_t>(position / 64))), iv.begin());
    crypt(iv, bytes, bytes, 1);
  }

 private:
  void crypt(ByteSpan iv, ByteSpan in, MutableByteSpan out, int encrypting) const {
    assert(in.size() <= std::numeric_limits<int>::max() && in.size() == out.size());
    EVP_CIPHER_CTX* const ctx = EVP_CIPHER_CTX_new();
    int done = 0;
    require_hash(ctx != nullptr &&
                 EVP_CipherInit_ex2(ctx, method_, raw(key_.expose()),
                                    iv.empty() ? nullptr : raw(iv), encrypting, nullptr) == 1 &&
                 EVP_CIPHER_CTX_set_padding(ctx, 0) == 1 &&
                 EVP_CipherUpdate(ctx, reinterpret_cast<unsigned char*>(out.data()), &done, raw(in),
                                  static_cast<int>(in.size())) == 1 &&
                 static_cast<std::size_t>(done) == out.size());
    EVP_CIPHER_CTX_free(ctx);
  }

  EVP_CIPHER* method_;
  Secret key_;
  CounterForm counter_;
};

std::string known_names() {
  std::string names;
  for (const CipherKind& kind : kKinds) names.append(names.empty() ? "" : ", ").append(kind.name);
  return names;
}

}  // namespace

Result<std::unique_ptr<const Cipher>> Cipher::create(std::string_view name, ByteSpan key) {
  const auto kind = std::ranges::find(kKinds, name, &CipherKind::name);
  if (kind == std::end(kKinds))
    return Error(ErrorKind::unsupported,
                 fmt::format("unknown cipher '{}'; there are {}", name, known_names()));
  const Error wrong_key(ErrorKind::bad_secret,
                        fmt::format("{} takes no key of {} bytes", name, key.size()));
  if (key.empty() || key.size() % kind->keys != 0) return Error(wrong_key);
  const std::string openssl = fmt::format(fmt::runtime(kind->openssl), key.size() / kind->keys * 8);
  EVP_CIPHER* const method = EVP_CIPHER_fetch(nullptr, openssl.c_str(), nullptr);
  ERR_clear_error();
  if (method == nullptr) return Error(wrong_key);
  if (static_cast<std::size_t>(EVP_CIPHER_get_key_length(method)) != key.size() ||
      (kind->keys == 2 && equal_secret(key.first(key.size() / 2), key.subspan(key.size() / 2)))) {
    EVP_CIPHER_free(method);
    return Error(wrong_key);
  }
  return std::make_unique<const OpensslCipher>(method, Secret::copy_of(key), kind->counter);
}

}  // namespace intact::crypto
