#include "lrw_sectors.h"

#include <algorithm>
#include <array>
#include <bit>

#include <intact/base/endian.h>
#include <intact/crypto/secret.h>

#include "gcrypt_library.h"

namespace intact::crypto {
namespace {

constexpr std::size_t kBlock = 16;

/// An element of GF(2^128): the coefficients of a polynomial modulo x^128 + x^7 + x^2 + x + 1.
struct Element {
  std::uint64_t high = 0, low = 0;

  static Element load(ByteSpan bytes) {
    return {intact::load<be64>(bytes, 0).value().get(), intact::load<be64>(bytes, 8).value().get()};
  }
  void xor_into(MutableByteSpan bytes) const {
    const std::array<be64, 2> words{high, low};
    for (std::size_t i = 0; i < kBlock; ++i) bytes[i] ^= bytes_of(words)[i];
  }
  Element& operator^=(const Element& other) {
    high ^= other.high;
    low ^= other.low;
    return *this;
  }
  void times_x() {
    const std::uint64_t carry = high >> 63;
    high = high << 1 | low >> 63;
    low = low << 1 ^ (carry == 0 ? 0 : 0x87);
  }
};

class Lrw final : public SectorCipher {
 public:
  Lrw(std::unique_ptr<const SectorCipher> ecb, ByteSpan tweak_key)
      : ecb_(std::move(ecb)), powers_(128 * sizeof(Element)), sums_(128 * sizeof(Element)) {
    // The tweak key times x^i, and times 1 + x + ... + x^i: what changes from one block number to
    // the next is such a row of ones.
    Element power = Element::load(tweak_key), sum;
    for (std::size_t i = 0; i < 128; ++i) {
      sum ^= power;
      table(powers_)[i] = power;
      table(sums_)[i] = sum;
      power.times_x();
    }
  }

  std::size_t block_size() const override { return kBlock; }
  std::size_t iv_size() const override { return kBlock; }
  void encrypt(ByteSpan ivs, ByteSpan in, MutableByteSpan out) const override {
    crypt(ivs, in, out, [this](MutableByteSpan bytes) { ecb_->encrypt({}, bytes, bytes); });
  }
  void decrypt(ByteSpan ivs, ByteSpan in, MutableByteSpan out) const override {
    crypt(ivs, in, out, [this](MutableByteSpan bytes) { ecb_->decrypt({}, bytes, bytes); });
  }
  void xor_keystream(std::uint64_t, MutableByteSpan) const override {
    require_done(false);  // not a stream cipher
  }

 private:
  template <class Step>
  void crypt(ByteSpan ivs, ByteSpan in, MutableByteSpan out, Step step) const {
    std::copy(in.begin(), in.end(), out.begin());
    add_tweaks(ivs, out);
    step(out);
    add_tweaks(ivs, out);
  }

  void add_tweaks(ByteSpan ivs, MutableByteSpan bytes) const {
    const std::size_t count = ivs.size() / kBlock;
    const std::size_t size = count == 0 ? 0 : bytes.size() / count;
    for (std::size_t i = 0; i < count; ++i) {
      Element number = Element::load(ivs.subspan(i * kBlock, kBlock));
      Element tweak = product(number);
      for (std::size_t at = 0; at < size; at += kBlock) {
        tweak.xor_into(bytes.subspan(i * size + at, kBlock));
        tweak ^= table(sums_)[next(number)];
      }
    }
  }

  /// The tweak key times `number`. The number of a block is public, so the branches may depend on
  /// it.
  Element product(const Element& number) const {
    Element sum;
    for (std::size_t i = 0; i < 128; ++i)
      if (((i < 64 ? number.low : number.high) >> (i % 64) & 1) != 0) sum ^= table(powers_)[i];
    return sum;
  }

  /// Increments `number`; returns the highest bit that changed.
  static std::size_t next(Element& number) {
    if (++number.low != 0) return static_cast<std::size_t>(std::countr_zero(number.low));
    if (++number.high != 0) return 64 + static_cast<std::size_t>(std::countr_zero(number.high));
    return 127;
  }

  static const Element* table(const Secret& bytes) {
    return reinterpret_cast<const Element*>(bytes.expose().data());
  }
  static Element* table(Secret& bytes) { return reinterpret_cast<Element*>(bytes.expose().data()); }

  std::unique_ptr<const SectorCipher> ecb_;
  Secret powers_, sums_;  // 128 elements each
};

}  // namespace

std::unique_ptr<const SectorCipher> make_lrw(std::unique_ptr<const SectorCipher> ecb,
                                             ByteSpan tweak_key) {
  return std::make_unique<const Lrw>(std::move(ecb), tweak_key);
}

}  // namespace intact::crypto
