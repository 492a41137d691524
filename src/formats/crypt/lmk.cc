#include <algorithm>
#include <array>

#include <intact/base/endian.h>
#include <intact/crypto/hash_function.h>
#include <intact/crypto/secret.h>

#include "iv_mode.h"

namespace intact::crypt {
namespace {

constexpr std::size_t kUsedSeed = 16;
constexpr std::size_t kHashedSeed = 64;
constexpr std::size_t kFirstBlock = 16;

/// loop-AES: the IV is a hash of the sector's plain text but for its first block, so that is
/// decrypted with an IV of zeros and gets its IV when the rest is known.
class Lmk final : public IvMode {
 public:
  Lmk(ByteSpan seed, std::size_t iv_size)
      : seed_(seed.empty() ? 0 : kHashedSeed), iv_size_(iv_size) {
    if (!seed.empty()) std::ranges::copy(seed.first(kUsedSeed), seed_.expose().begin());
  }

  bool uses_sectors() const override { return true; }

  void before_encryption(const Run& run, MutableByteSpan plain,
                         MutableByteSpan ivs) const override {
    for (std::size_t i = 0; i < ivs.size() / iv_size_; ++i)
      std::ranges::copy(ByteSpan(iv_of(run, i, plain)).first(iv_size_), ivs.begin() + i * iv_size_);
  }
  void before_decryption(const Run&, MutableByteSpan, MutableByteSpan ivs) const override {
    std::ranges::fill(ivs, std::byte{0});
  }
  void after_decryption(const Run& run, MutableByteSpan plain) const override {
    for (std::size_t i = 0; i < plain.size() / run.sector_size; ++i) {
      const auto iv = iv_of(run, i, plain);
      for (std::size_t b = 0; b < iv_size_; ++b) plain[i * run.sector_size + b] ^= iv[b];
    }
  }

 private:
  std::array<std::byte, 16> iv_of(const Run& run, std::size_t i, ByteSpan plain) const {
    const std::uint64_t number = run.number(i);
    const auto low = static_cast<std::uint32_t>(number);
    const auto high = static_cast<std::uint32_t>(number >> 32 & 0xffffff);
    const std::array<le32, 4> end{low, high | 0x80000000, 4024, 0};
    const ByteSpan sector = plain.subspan(i * run.sector_size, run.sector_size);
    return crypto::md5_state({seed_.expose(), sector.subspan(kFirstBlock), bytes_of(end)});
  }

  crypto::Secret seed_;
  std::size_t iv_size_;
};

}  // namespace

std::unique_ptr<const IvMode> make_lmk(ByteSpan seed, std::size_t iv_size) {
  return std::make_unique<const Lmk>(seed, iv_size);
}

}  // namespace intact::crypt
