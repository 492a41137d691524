// Compiled for AVX-512 (F and BW).
#include "sha2_kernel.h"

#if defined(__x86_64__)
#if !defined(__clang__)
// GCC's own header makes it warn (its bug 105593).
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include "sha2_lanes.h"

namespace intact::crypto {
namespace {

/// What does not depend on the size of the word.
struct Bits {
  using Vector = __m512i;
  static Vector xor3(Vector a, Vector b, Vector c) {
    return _mm512_ternarylogic_epi32(a, b, c, 0x96);
  }
  static Vector choose(Vector a, Vector b, Vector c) {
    return _mm512_ternarylogic_epi32(a, b, c, 0xca);
  }
  static Vector majority(Vector a, Vector b, Vector c) {
    return _mm512_ternarylogic_epi32(a, b, c, 0xe8);
  }
  static Vector load(const void* at) { return _mm512_loadu_si512(at); }
  static void store(void* at, Vector x) { _mm512_storeu_si512(at, x); }

  /// The quarters of four vectors as a matrix, transposed.
  static void transpose_quarters(Vector a, Vector b, Vector c, Vector d, Vector& out0, Vector& out1,
                                 Vector& out2, Vector& out3) {
    const Vector ab_low = _mm512_shuffle_i32x4(a, b, 0x44);
    const Vector ab_high = _mm512_shuffle_i32x4(a, b, 0xee);
    const Vector cd_low = _mm512_shuffle_i32x4(c, d, 0x44);
    const Vector cd_high = _mm512_shuffle_i32x4(c, d, 0xee);
    out0 = _mm512_shuffle_i32x4(ab_low, cd_low, 0x88);
    out1 = _mm512_shuffle_i32x4(ab_low, cd_low, 0xdd);
    out2 = _mm512_shuffle_i32x4(ab_high, cd_high, 0x88);
    out3 = _mm512_shuffle_i32x4(ab_high, cd_high, 0xdd);
  }
};

template <std::size_t sets>
struct Words32 : Bits {
  using Word = std::uint32_t;
  static constexpr std::size_t kLanes = 16;
  static constexpr std::size_t kSets = sets;

  static Vector fill(Word x) { return _mm512_set1_epi32(static_cast<int>(x)); }
  static Vector add(Vector a, Vector b) { return _mm512_add_epi32(a, b); }
  template <unsigned n>
  static Vector rotate(Vector x) {
    return _mm512_ror_epi32(x, n);
  }
  template <unsigned n>
  static Vector shift(Vector x) {
    return _mm512_srli_epi32(x, n);
  }

  static void transpose(const std::byte* const* input, std::size_t offset, Vector (&w)[16]) {
    const Vector swap = _mm512_set4_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203);
    Vector x[16], y[16];
    for (std::size_t i = 0; i < 16; ++i) x[i] = _mm512_shuffle_epi8(load(input[i] + offset), swap);
    for (std::size_t i = 0; i < 16; i += 2) {
      y[i] = _mm512_unpacklo_epi32(x[i], x[i + 1]);
      y[i + 1] = _mm512_unpackhi_epi32(x[i], x[i + 1]);
    }
    for (std::size_t i = 0; i < 16; i += 4) {
      x[i] = _mm512_unpacklo_epi64(y[i], y[i + 2]);
      x[i + 1] = _mm512_unpackhi_epi64(y[i], y[i + 2]);
      x[i + 2] = _mm512_unpacklo_epi64(y[i + 1], y[i + 3]);
      x[i + 3] = _mm512_unpackhi_epi64(y[i + 1], y[i + 3]);
    }
    // x[4 * g + c] has columns c, 4 + c, 8 + c and 12 + c of lanes 4 * g to 4 * g + 3.
    for (std::size_t c = 0; c < 4; ++c)
      transpose_quarters(x[c], x[4 + c], x[8 + c], x[12 + c], w[c], w[4 + c], w[8 + c], w[12 + c]);
  }
};

template <std::size_t sets>
struct Words64 : Bits {
  using Word = std::uint64_t;
  static constexpr std::size_t kLanes = 8;
  static constexpr std::size_t kSets = sets;

  static Vector fill(Word x) { return _mm512_set1_epi64(static_cast<long long>(x)); }
  static Vector add(Vector a, Vector b) { return _mm512_add_epi64(a, b); }
  template <unsigned n>
  static Vector rotate(Vector x) {
    return _mm512_ror_epi64(x, n);
  }
  template <unsigned n>
  static Vector shift(Vector x) {
    return _mm512_srli_epi64(x, n);
  }

  static void transpose(const std::byte* const* input, std::size_t offset, Vector (&w)[16]) {
    const Vector swap = _mm512_set4_epi32(0x08090a0b, 0x0c0d0e0f, 0x00010203, 0x04050607);
    for (std::size_t half = 0; half < 2; ++half) {
      Vector x[8], y[8];
      for (std::size_t i = 0; i < 8; ++i)
        x[i] = _mm512_shuffle_epi8(load(input[i] + offset + half * 64), swap);
      for (std::size_t i = 0; i < 8; i += 2) {
        y[i] = _mm512_unpacklo_epi64(x[i], x[i + 1]);
        y[i + 1] = _mm512_unpackhi_epi64(x[i], x[i + 1]);
      }
      // y[2 * g + c] has columns c, 2 + c, 4 + c and 6 + c of lanes 2 * g and 2 * g + 1.
      Vector* const out = w + half * 8;
      for (std::size_t c = 0; c < 2; ++c)
        transpose_quarters(y[c], y[2 + c], y[4 + c], y[6 + c], out[c], out[2 + c], out[4 + c],
                           out[6 + c]);
    }
  }
};

}  // namespace

constinit const Sha2Kernel<std::uint32_t> kSha256Avx512 = Sha2Lanes<Words32<1>>::kKernel;
constinit const Sha2Kernel<std::uint32_t> kSha256Avx512Twice = Sha2Lanes<Words32<2>>::kKernel;
constinit const Sha2Kernel<std::uint64_t> kSha512Avx512 = Sha2Lanes<Words64<1>>::kKernel;
constinit const Sha2Kernel<std::uint64_t> kSha512Avx512Twice = Sha2Lanes<Words64<2>>::kKernel;

}  // namespace intact::crypto
#endif
