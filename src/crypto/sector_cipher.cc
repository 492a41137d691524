#include <algorithm>
#include <array>
#include <cassert>
#include <limits>
#include <optional>
#include <string>

#include <fmt/format.h>
#include <gcrypt.h>

#include <intact/base/endian.h>
#include <intact/crypto/sector_cipher.h>

#include "gcrypt_cipher.h"
#include "gcrypt_library.h"
#include "lrw_sectors.h"

namespace intact::crypto {
namespace {

struct Mode {
  std::string_view name;
  int number;
  std::size_t keys;  // of the block cipher
};
constexpr int kLrw = -1;  // the library does not have it
constexpr Mode kModes[] = {{"xts", GCRY_CIPHER_MODE_XTS, 2},
                           {"cbc", GCRY_CIPHER_MODE_CBC, 1},
                           {"ctr", GCRY_CIPHER_MODE_CTR, 1},
                           {"ecb", GCRY_CIPHER_MODE_ECB, 1},
                           {"lrw", kLrw, 1}};

class GcryptSectors final : public SectorCipher {
 public:
  GcryptSectors(std::unique_ptr<GcryptCipher> cipher, int mode, std::size_t block_size,
                std::size_t iv_size)
      : cipher_(std::move(cipher)), mode_(mode), block_size_(block_size), iv_size_(iv_size) {}

  std::size_t block_size() const override { return block_size_; }
  std::size_t iv_size() const override { return iv_size_; }
  void encrypt(ByteSpan ivs, ByteSpan in, MutableByteSpan out) const override {
    crypt(ivs, in, out, gcry_cipher_encrypt);
  }
  void decrypt(ByteSpan ivs, ByteSpan in, MutableByteSpan out) const override {
    crypt(ivs, in, out, gcry_cipher_decrypt);
  }

  void xor_keystream(std::uint64_t position, MutableByteSpan bytes) const override {
    assert(block_size_ == 1 && position % 64 == 0);
    std::array<std::byte, 16> iv{};
    if (mode_ == GCRY_CIPHER_MODE_CTR)
      std::ranges::copy(bytes_of(be64(position / 16)), iv.begin() + 8);
    else
      std::ranges::copy(bytes_of(le32(static_cast<std::uint32_t>(position / 64))), iv.begin());
    encrypt(iv, bytes, bytes);
  }

 private:
  void crypt(ByteSpan ivs, ByteSpan in, MutableByteSpan out,
             decltype(&gcry_cipher_encrypt) step) const {
    const std::size_t count = iv_size_ == 0 ? 1 : ivs.size() / iv_size_;
    require_done(in.size() == out.size() && ivs.size() == count * iv_size_);
    if (in.empty()) return;
    require_done(count != 0 && in.size() % count == 0);
    const std::size_t size = in.size() / count;
    const auto set_iv = mode_ == GCRY_CIPHER_MODE_CTR ? gcry_cipher_setctr : gcry_cipher_setiv;
    const auto handle = cipher_->lease();
    for (std::size_t i = 0; i < count; ++i) {
      if (iv_size_ != 0) require_done(set_iv(*handle, ivs.data() + i * iv_size_, iv_size_) == 0);
      require_done(step(*handle, out.data() + i * size, size, in.data() + i * size, size) == 0);
    }
  }

  std::unique_ptr<GcryptCipher> cipher_;
  int mode_;
  std::size_t block_size_;
  std::size_t iv_size_;
};

Error unknown(std::string_view name) {
  return Error(
      ErrorKind::unsupported,
      fmt::format("unknown cipher '{}'; there are cbc, ctr, ecb, lrw and xts of {}, and chacha20",
                  name, block_cipher_names()));
}

Error wrong_key(std::string_view name, std::size_t size) {
  return Error(ErrorKind::bad_secret, fmt::format("{} takes no key of {} bytes", name, size));
}

Result<std::unique_ptr<const SectorCipher>> make_chacha20(ByteSpan key) {
  auto cipher = key.size() == 32
                    ? GcryptCipher::create(GCRY_CIPHER_CHACHA20, GCRY_CIPHER_MODE_STREAM, key)
                    : nullptr;
  if (!cipher) return wrong_key("chacha20", key.size());
  return std::make_unique<const GcryptSectors>(std::move(cipher), GCRY_CIPHER_MODE_STREAM, 1, 16);
}

}  // namespace

Result<std::unique_ptr<const SectorCipher>> SectorCipher::create(std::string_view name,
                                                                 ByteSpan key) {
  if (name == "chacha20") return make_chacha20(key);
  const std::size_t open = name.find('(');
  const auto mode = std::ranges::find(kModes, name.substr(0, open), &Mode::name);
  if (open == name.npos || !name.ends_with(')') || mode == std::end(kModes)) return unknown(name);
  const auto ciphers = block_ciphers(name.substr(open + 1, name.size() - open - 2));
  if (ciphers.empty()) return unknown(name);
  const std::size_t block_size = ciphers.front().block_size();
  const bool has_tweak = mode->number == GCRY_CIPHER_MODE_XTS || mode->number == kLrw;
  if (has_tweak && block_size != 16)
    return Error(ErrorKind::unsupported,
                 fmt::format("{}: {} needs a cipher with blocks of 16 bytes", name, mode->name));
  if (mode->number == kLrw) {
    if (key.size() <= kLrwTweakSize) return wrong_key(name, key.size());
    const std::string ecb_name = fmt::format("ecb({})", ciphers.front().name);
    auto ecb = create(ecb_name, key.first(key.size() - kLrwTweakSize));
    if (!ecb) return wrong_key(name, key.size());
    return make_lrw(*std::move(ecb), key.last(kLrwTweakSize));
  }
  for (const BlockCipher& cipher : ciphers) {
    if (cipher.key_size * mode->keys != key.size()) continue;
    auto keyed = GcryptCipher::create(cipher.algorithm, mode->number, key);
    if (!keyed) break;
    return std::make_unique<const GcryptSectors>(
        std::move(keyed), mode->number, mode->number == GCRY_CIPHER_MODE_CTR ? 1 : block_size,
        mode->number == GCRY_CIPHER_MODE_ECB ? 0 : block_size);
  }
  return wrong_key(name, key.size());
}

}  // namespace intact::crypto
