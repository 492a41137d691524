// Compiled for SHA-NI and SSE 4.1.
#include "sha2_kernel.h"

#if defined(__x86_64__)
#include <utility>

#include <immintrin.h>

#include "sha2_constants.h"

namespace intact::crypto {
namespace {

using Numbers = Sha2<std::uint32_t>;

/// One message: its state in the order in which the instructions want it, and the last sixteen
/// words of its schedule.
struct Stream {
  __m128i abef, cdgh;
  __m128i w[4];
};

/// Several messages interleaved, for each waits for its own results most of the time.
template <std::size_t kLanes>
class Streams {
 public:
  static void compress(std::uint32_t* state, const std::byte* const* input, std::size_t blocks) {
    Stream streams[kLanes];
    for (std::size_t lane = 0; lane < kLanes; ++lane) load(streams[lane], state + lane);
    for (std::size_t block = 0; block < blocks; ++block) {
      __m128i abef[kLanes], cdgh[kLanes];
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        read(streams[lane], input[lane] + block * Numbers::kBlock);
        abef[lane] = streams[lane].abef;
        cdgh[lane] = streams[lane].cdgh;
      }
      all_rounds(streams, std::make_index_sequence<16>());
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        streams[lane].abef = _mm_add_epi32(streams[lane].abef, abef[lane]);
        streams[lane].cdgh = _mm_add_epi32(streams[lane].cdgh, cdgh[lane]);
      }
    }
    for (std::size_t lane = 0; lane < kLanes; ++lane) store(streams[lane], state + lane);
  }

 private:
  static void load(Stream& s, const std::uint32_t* state) {
    const auto word = [&](std::size_t i) { return static_cast<int>(state[i * kLanes]); };
    s.abef = _mm_set_epi32(word(0), word(1), word(4), word(5));
    s.cdgh = _mm_set_epi32(word(2), word(3), word(6), word(7));
  }

  static void store(const Stream& s, std::uint32_t* state) {
    alignas(16) std::uint32_t feba[4], hgdc[4];
    _mm_store_si128(reinterpret_cast<__m128i*>(feba), s.abef);
    _mm_store_si128(reinterpret_cast<__m128i*>(hgdc), s.cdgh);
    for (std::size_t i = 0; i < 2; ++i) {
      state[i * kLanes] = feba[3 - i];
      state[(2 + i) * kLanes] = hgdc[3 - i];
      state[(4 + i) * kLanes] = feba[1 - i];
      state[(6 + i) * kLanes] = hgdc[1 - i];
    }
  }

  static void read(Stream& s, const std::byte* input) {
    const __m128i swap = _mm_set_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203);
    for (std::size_t i = 0; i < 4; ++i)
      s.w[i] =
          _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(input + 16 * i)), swap);
  }

  template <std::size_t... kIndex>
  [[gnu::always_inline]] static inline void all_rounds(Stream (&streams)[kLanes],
                                                       std::index_sequence<kIndex...>) {
    (four_rounds<kIndex>(streams), ...);
  }

  template <std::size_t i>
  [[gnu::always_inline]] static inline void four_rounds(Stream (&streams)[kLanes]) {
    const __m128i constants =
        _mm_load_si128(reinterpret_cast<const __m128i*>(Numbers::kRound + 4 * i));
    four_rounds<i>(streams[0], constants);
    if constexpr (kLanes == 2) four_rounds<i>(streams[1], constants);
  }

  /// Rounds 4 * i to 4 * i + 3.
  template <std::size_t i>
  [[gnu::always_inline]] static inline void four_rounds(Stream& s, __m128i constants) {
    __m128i& words = s.w[i % 4];
    if constexpr (i >= 4) {
      const __m128i last = s.w[(i + 3) % 4];
      const __m128i seven_ago = _mm_alignr_epi8(last, s.w[(i + 2) % 4], 4);
      words = _mm_sha256msg2_epu32(
          _mm_add_epi32(_mm_sha256msg1_epu32(words, s.w[(i + 1) % 4]), seven_ago), last);
    }
    const __m128i sum = _mm_add_epi32(words, constants);
    s.cdgh = _mm_sha256rnds2_epu32(s.cdgh, s.abef, sum);
    s.abef = _mm_sha256rnds2_epu32(s.abef, s.cdgh, _mm_shuffle_epi32(sum, 0x0e));
  }
};

}  // namespace

constinit const Sha2Kernel<std::uint32_t> kSha256ShaNi{1, Streams<1>::compress};
constinit const Sha2Kernel<std::uint32_t> kSha256ShaNiTwice{2, Streams<2>::compress};

}  // namespace intact::crypto
#endif
