#pragma once

#include <cstddef>
#include <cstdint>

namespace intact::crypto {

/// The SHA-2 compression function over `blocks` input blocks (64 bytes for 32-bit words, 128 for
/// 64-bit ones) of each of several messages, its lanes. Word w of lane l is state[w * lanes + l];
/// input[l] is the first block of lane l, at any alignment; lanes may share their input.
template <class Word>
struct Sha2Kernel {
  using Compress = void(Word* state, const std::byte* const* input, std::size_t blocks);
  std::size_t lanes;
  Compress* compress;
};

/// The most lanes that a kernel has.
inline constexpr std::size_t kMaxLanes = 32;

// Each is compiled for the processors that it needs and must not be called on others. "Twice" has
// two sets of lanes interleaved. Where the architecture is another they do not exist.
#if defined(__x86_64__)
extern const Sha2Kernel<std::uint32_t> kSha256Avx512;       ///< 16 lanes
extern const Sha2Kernel<std::uint32_t> kSha256Avx512Twice;  ///< 32
extern const Sha2Kernel<std::uint32_t> kSha256Avx2;         ///< 8
extern const Sha2Kernel<std::uint32_t> kSha256ShaNi;        ///< 1
extern const Sha2Kernel<std::uint32_t> kSha256ShaNiTwice;   ///< 2
extern const Sha2Kernel<std::uint64_t> kSha512Avx512;       ///< 8
extern const Sha2Kernel<std::uint64_t> kSha512Avx512Twice;  ///< 16
extern const Sha2Kernel<std::uint64_t> kSha512Avx2;         ///< 4
#endif

}  // namespace intact::crypto
