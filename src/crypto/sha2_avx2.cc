// Compiled for AVX2.
#include "sha2_kernel.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "sha2_lanes.h"

namespace intact::crypto {
namespace {

/// What does not depend on the size of the word.
struct Bits {
  using Vector = __m256i;
  static constexpr std::size_t kSets = 1;  // two need more registers than there are
  static Vector xor3(Vector a, Vector b, Vector c) {
    return _mm256_xor_si256(a, _mm256_xor_si256(b, c));
  }
  static Vector choose(Vector a, Vector b, Vector c) {
    return _mm256_xor_si256(c, _mm256_and_si256(a, _mm256_xor_si256(b, c)));
  }
  static Vector majority(Vector a, Vector b, Vector c) {
    return _mm256_xor_si256(b, _mm256_and_si256(_mm256_xor_si256(a, b), _mm256_xor_si256(b, c)));
  }
  static Vector load(const void* at) { return _mm256_loadu_si256(static_cast<const Vector*>(at)); }
  static void store(void* at, Vector x) { _mm256_storeu_si256(static_cast<Vector*>(at), x); }

  /// The halves of two vectors as a matrix, transposed.
  static void transpose_halves(Vector a, Vector b, Vector& out0, Vector& out1) {
    out0 = _mm256_permute2x128_si256(a, b, 0x20);
    out1 = _mm256_permute2x128_si256(a, b, 0x31);
  }
};

struct Words32 : Bits {
  using Word = std::uint32_t;
  static constexpr std::size_t kLanes = 8;

  static Vector fill(Word x) { return _mm256_set1_epi32(static_cast<int>(x)); }
  static Vector add(Vector a, Vector b) { return _mm256_add_epi32(a, b); }
  template <unsigned n>
  static Vector rotate(Vector x) {
    return _mm256_or_si256(_mm256_srli_epi32(x, n), _mm256_slli_epi32(x, 32 - n));
  }
  template <unsigned n>
  static Vector shift(Vector x) {
    return _mm256_srli_epi32(x, n);
  }

  static void transpose(const std::byte* const* input, std::size_t offset, Vector (&w)[16]) {
    const Vector swap = _mm256_set_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203, 0x0c0d0e0f,
                                         0x08090a0b, 0x04050607, 0x00010203);
    for (std::size_t half = 0; half < 2; ++half) {
      Vector x[8], y[8];
      for (std::size_t i = 0; i < 8; ++i)
        x[i] = _mm256_shuffle_epi8(load(input[i] + offset + half * 32), swap);
      for (std::size_t i = 0; i < 8; i += 2) {
        y[i] = _mm256_unpacklo_epi32(x[i], x[i + 1]);
        y[i + 1] = _mm256_unpackhi_epi32(x[i], x[i + 1]);
      }
      for (std::size_t i = 0; i < 8; i += 4) {
        x[i] = _mm256_unpacklo_epi64(y[i], y[i + 2]);
        x[i + 1] = _mm256_unpackhi_epi64(y[i], y[i + 2]);
        x[i + 2] = _mm256_unpacklo_epi64(y[i + 1], y[i + 3]);
        x[i + 3] = _mm256_unpackhi_epi64(y[i + 1], y[i + 3]);
      }
      // x[4 * g + c] has columns c and 4 + c of lanes 4 * g to 4 * g + 3.
      Vector* const out = w + half * 8;
      for (std::size_t c = 0; c < 4; ++c) transpose_halves(x[c], x[4 + c], out[c], out[4 + c]);
    }
  }
};

struct Words64 : Bits {
  using Word = std::uint64_t;
  static constexpr std::size_t kLanes = 4;

  static Vector fill(Word x) { return _mm256_set1_epi64x(static_cast<long long>(x)); }
  static Vector add(Vector a, Vector b) { return _mm256_add_epi64(a, b); }
  template <unsigned n>
  static Vector rotate(Vector x) {
    return _mm256_or_si256(_mm256_srli_epi64(x, n), _mm256_slli_epi64(x, 64 - n));
  }
  template <unsigned n>
  static Vector shift(Vector x) {
    return _mm256_srli_epi64(x, n);
  }

  static void transpose(const std::byte* const* input, std::size_t offset, Vector (&w)[16]) {
    const Vector swap = _mm256_set_epi32(0x08090a0b, 0x0c0d0e0f, 0x00010203, 0x04050607, 0x08090a0b,
                                         0x0c0d0e0f, 0x00010203, 0x04050607);
    for (std::size_t part = 0; part < 4; ++part) {
      Vector x[4];
      for (std::size_t i = 0; i < 4; ++i)
        x[i] = _mm256_shuffle_epi8(load(input[i] + offset + part * 32), swap);
      Vector* const out = w + part * 4;
      transpose_halves(_mm256_unpacklo_epi64(x[0], x[1]), _mm256_unpacklo_epi64(x[2], x[3]), out[0],
                       out[2]);
      transpose_halves(_mm256_unpackhi_epi64(x[0], x[1]), _mm256_unpackhi_epi64(x[2], x[3]), out[1],
                       out[3]);
    }
  }
};

}  // namespace

constinit const Sha2Kernel<std::uint32_t> kSha256Avx2 = Sha2Lanes<Words32>::kKernel;
constinit const Sha2Kernel<std::uint64_t> kSha512Avx2 = Sha2Lanes<Words64>::kKernel;

}  // namespace intact::crypto
#endif
