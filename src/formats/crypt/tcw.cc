#include <algorithm>
#include <array>

#include <isa-l/crc.h>

#include <intact/base/endian.h>
#include <intact/crypto/secret.h>

#include "iv_mode.h"

namespace intact::crypt {
namespace {

/// Without the inversion before and after that CRC-32 usually has.
std::uint32_t plain_crc32(ByteSpan bytes) {
  return ~crc32_gzip_refl(~0U, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
}

class Tcw final : public IvMode {
 public:
  Tcw(ByteSpan seed, ByteSpan whitening)
      : seed_(crypto::Secret::copy_of(seed)), whitening_(crypto::Secret::copy_of(whitening)) {}

  bool uses_sectors() const override { return true; }

  void before_encryption(const Run& run, MutableByteSpan, MutableByteSpan ivs) const override {
    write_ivs(run, ivs);
  }
  void after_encryption(const Run& run, MutableByteSpan sectors) const override {
    whiten(run, sectors);
  }
  void before_decryption(const Run& run, MutableByteSpan sectors,
                         MutableByteSpan ivs) const override {
    whiten(run, sectors);
    write_ivs(run, ivs);
  }

 private:
  void write_ivs(const Run& run, MutableByteSpan ivs) const {
    const ByteSpan seed = seed_.expose();
    for (std::size_t i = 0; i < ivs.size() / seed.size(); ++i) {
      const le64 number(run.number(i));
      for (std::size_t b = 0; b < seed.size(); ++b)
        ivs[i * seed.size() + b] = seed[b] ^ bytes_of(number)[b % sizeof number];
    }
  }

  /// XORs each sector with 8 bytes of its own.
  void whiten(const Run& run, MutableByteSpan sectors) const {
    std::array<std::byte, kTcwWhitening> mask;
    for (std::size_t i = 0; i < sectors.size() / run.sector_size; ++i) {
      const le64 number(run.number(i));
      for (std::size_t b = 0; b < mask.size(); ++b)
        mask[b] = whitening_.expose()[b] ^ bytes_of(number)[b % sizeof number];
      for (std::size_t b = 0; b < mask.size(); b += sizeof(le32))
        std::ranges::copy(bytes_of(le32(plain_crc32(ByteSpan(mask).subspan(b, sizeof(le32))))),
                          mask.begin() + b);
      for (std::size_t b = 0; b < 4; ++b) {
        mask[b] ^= mask[12 + b];
        mask[4 + b] ^= mask[8 + b];
      }
      for (std::size_t b = 0; b < run.sector_size; ++b)
        sectors[i * run.sector_size + b] ^= mask[b % 8];
    }
    crypto::wipe(mask);
  }

  crypto::Secret seed_;
  crypto::Secret whitening_;
};

}  // namespace

std::unique_ptr<const IvMode> make_tcw(ByteSpan seed, ByteSpan whitening) {
  return std::make_unique<const Tcw>(seed, whitening);
}

}  // namespace intact::crypt
