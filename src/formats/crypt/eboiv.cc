#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <span>

#include <intact/base/endian.h>
#include <intact/crypto/secret.h>

#include "iv_mode.h"

namespace intact::crypt {
namespace {

using Cipher = std::shared_ptr<const crypto::SectorCipher>;

/// What BitLocker calls the encrypted byte offset initialization vector.
class Eboiv : public IvMode {
 public:
  explicit Eboiv(Cipher cipher) : cipher_(std::move(cipher)) {}

  void before_encryption(const Run& run, MutableByteSpan, MutableByteSpan ivs) const override {
    write_ivs(run, ivs);
  }
  void before_decryption(const Run& run, MutableByteSpan, MutableByteSpan ivs) const override {
    write_ivs(run, ivs);
  }

 protected:
  void write_ivs(const Run& run, MutableByteSpan ivs) const {
    const std::size_t size = cipher_->iv_size();
    std::ranges::fill(ivs, std::byte{0});
    for (std::size_t i = 0; i < ivs.size() / size; ++i)
      std::ranges::copy(bytes_of(le64(run.number(i) * run.sector_size)), ivs.begin() + i * size);
    // Zeros with the offset as IV: for cbc that is the encrypted offset.
    const Bytes offsets(ivs.begin(), ivs.end()), zeros(ivs.size());
    cipher_->encrypt(offsets, zeros, ivs);
  }

 private:
  Cipher cipher_;
};

using Word = std::uint32_t;

/// One pass of the diffuser over a sector of n words: for each i, in this order, d[i] changes by
/// d[i + near] XOR rotl(d[i + far], turns[i mod 4]).
struct Pass {
  int near, far;  // indices are taken modulo n
  unsigned turns[4];
  int rounds;
};
constexpr Pass kA{-2, -5, {9, 0, 13, 0}, 5};
constexpr Pass kB{2, 5, {0, 10, 0, 25}, 3};

template <bool kForward>
void diffuse(std::span<Word> d, const Pass& pass) {
  const std::size_t n = d.size();
  for (int round = 0; round < pass.rounds; ++round)
    for (std::size_t step = 0; step < n; ++step) {
      const std::size_t i = kForward ? step : n - 1 - step;
      const Word change = d[(i + n + static_cast<std::size_t>(pass.near)) % n] ^
                          std::rotl(d[(i + n + static_cast<std::size_t>(pass.far)) % n],
                                    static_cast<int>(pass.turns[i % 4]));
      if constexpr (kForward)
        d[i] += change;
      else
        d[i] -= change;
    }
}

class Elephant final : public Eboiv {
 public:
  Elephant(Cipher cipher, std::unique_ptr<const crypto::SectorCipher> diffuser)
      : Eboiv(std::move(cipher)), diffuser_(std::move(diffuser)) {}

  bool uses_sectors() const override { return true; }

  void before_encryption(const Run& run, MutableByteSpan plain,
                         MutableByteSpan ivs) const override {
    for_each_sector(run, plain, [&](MutableByteSpan sector, const SectorKey& key) {
      add(key, sector);
      in_words(sector, [](std::span<Word> words) {
        diffuse<false>(words, kA);
        diffuse<false>(words, kB);
      });
    });
    write_ivs(run, ivs);
  }

  void after_decryption(const Run& run, MutableByteSpan plain) const override {
    for_each_sector(run, plain, [&](MutableByteSpan sector, const SectorKey& key) {
      in_words(sector, [](std::span<Word> words) {
        diffuse<true>(words, kB);
        diffuse<true>(words, kA);
      });
      add(key, sector);
    });
  }

 private:
  using SectorKey = std::array<std::byte, 32>;

  template <class Function>
  void for_each_sector(const Run& run, MutableByteSpan sectors, Function function) const {
    SectorKey key;
    for (std::size_t i = 0; i < sectors.size() / run.sector_size; ++i) {
      key.fill(std::byte{0});
      const le64 offset(run.number(i) * run.sector_size);
      std::ranges::copy(bytes_of(offset), key.begin());
      std::ranges::copy(bytes_of(offset), key.begin() + 16);
      key[31] = std::byte{0x80};
      diffuser_->encrypt({}, key, key);
      function(sectors.subspan(i * run.sector_size, run.sector_size), key);
    }
    crypto::wipe(key);
  }

  static void add(const SectorKey& key, MutableByteSpan sector) {
    for (std::size_t i = 0; i < sector.size(); ++i) sector[i] ^= key[i % key.size()];
  }

  template <class Function>
  static void in_words(MutableByteSpan sector, Function function) {
    std::array<Word, 1024> words;
    const std::size_t n = sector.size() / sizeof(Word);
    std::array<le32, 1024> raw;
    std::memcpy(raw.data(), sector.data(), sector.size());
    for (std::size_t i = 0; i < n; ++i) words[i] = raw[i].get();
    function(std::span(words).first(n));
    for (std::size_t i = 0; i < n; ++i) raw[i] = words[i];
    std::memcpy(sector.data(), raw.data(), sector.size());
  }

  std::unique_ptr<const crypto::SectorCipher> diffuser_;
};

}  // namespace

std::unique_ptr<const IvMode> make_eboiv(std::shared_ptr<const crypto::SectorCipher> cipher) {
  return std::make_unique<const Eboiv>(std::move(cipher));
}

Result<std::unique_ptr<const IvMode>> make_elephant(
    std::shared_ptr<const crypto::SectorCipher> cipher, ByteSpan diffuser_key) {
  auto diffuser = TRY(crypto::SectorCipher::create("ecb(aes)", diffuser_key));
  return std::make_unique<const Elephant>(std::move(cipher), std::move(diffuser));
}

}  // namespace intact::crypt
