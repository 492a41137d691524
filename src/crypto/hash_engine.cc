// Which engines there are, and which is used when.
#include <utility>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "block_engine.h"
#include "sha2_blocks.h"

namespace intact::crypto {
namespace {

/// What the processor can do and the operating system lets programs do.
struct Features {
  bool avx512 = false;
  bool avx2 = false;
  bool sha_ni = false;
};

Features detect() {
  Features features;
#if defined(__x86_64__)
  __builtin_cpu_init();
  // These ask the system as well, for the registers have to be saved.
  features.avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
  features.avx2 = __builtin_cpu_supports("avx2");
  unsigned a = 0, b = 0, c = 0, d = 0;
  features.sha_ni = __builtin_cpu_supports("sse4.1") && __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
                    (b & bit_SHA) != 0;
#endif
  return features;
}

const Features& features() {
  static const Features detected = detect();
  return detected;
}

#if defined(__x86_64__)

using Steps256 = std::vector<Sha2Step<std::uint32_t>>;
using Steps512 = std::vector<Sha2Step<std::uint64_t>>;

/// Where a kernel is worth it follows from rates in GB/s on AMD Zen 5, blocks of 4 KiB: SHA-256:
/// 6.2 with 32 lanes of AVX-512, 4.3 with 16, 2.9 with two of SHA-NI, 1.9 with one, 1.5 with 8 of
/// AVX2; SHA-512: 6.7 with 16 lanes of AVX-512, 3.6 with 8, 1.3 with 4 of AVX2. OpenSSL: 1.7 and
/// 1.0; 0.5 for SHA-256 without SHA-NI. Other processors differ, but not in the order.
Steps256 fastest_sha256() {
  Steps256 steps;
  const Features& has = features();
  if (has.avx512) {
    steps.push_back({&kSha256Avx512Twice, has.sha_ni ? 21u : 17u});
    steps.push_back({&kSha256Avx512, has.sha_ni ? 11u : 3u});
  } else if (has.avx2 && !has.sha_ni) {
    steps.push_back({&kSha256Avx2, 3});
  }
  if (has.sha_ni) {
    steps.push_back({&kSha256ShaNiTwice, 2});
    steps.push_back({&kSha256ShaNi, 1});
  }
  return steps;
}

Steps512 fastest_sha512() {
  if (features().avx512) return {{&kSha512Avx512Twice, 9}, {&kSha512Avx512, 3}};
  if (features().avx2) return {{&kSha512Avx2, 4}};
  return {};
}

Steps256 steps_for_sha256(std::optional<HashEngine> engine) {
  if (!engine) return fastest_sha256();
  switch (*engine) {
    case HashEngine::avx512:
      return {{&kSha256Avx512Twice, 17}, {&kSha256Avx512, 1}};
    case HashEngine::avx2:
      return {{&kSha256Avx2, 1}};
    case HashEngine::sha_ni:
      return {{&kSha256ShaNiTwice, 2}, {&kSha256ShaNi, 1}};
    case HashEngine::openssl:
      return {};
  }
  return {};
}

Steps512 steps_for_sha512(std::optional<HashEngine> engine) {
  if (!engine) return fastest_sha512();
  switch (*engine) {
    case HashEngine::avx512:
      return {{&kSha512Avx512Twice, 9}, {&kSha512Avx512, 1}};
    case HashEngine::avx2:
      return {{&kSha512Avx2, 1}};
    case HashEngine::sha_ni:
    case HashEngine::openssl:
      return {};
  }
  return {};
}

template <class Word>
std::unique_ptr<BlockEngine> with_steps(HashAlgorithm algorithm, const BlockShape& shape,
                                        std::vector<Sha2Step<Word>> steps) {
  std::unique_ptr<BlockEngine> rest;
  if (steps.empty()) return make_openssl_engine(hash_method(algorithm), shape);
  if (steps.back().least > 1) rest = make_openssl_engine(hash_method(algorithm), shape);
  return std::make_unique<Sha2Blocks<Word>>(shape, std::move(steps), std::move(rest));
}

#endif

}  // namespace

std::string_view to_string(HashEngine engine) {
  switch (engine) {
    case HashEngine::openssl:
      return "openssl";
    case HashEngine::sha_ni:
      return "sha-ni";
    case HashEngine::avx2:
      return "avx2";
    case HashEngine::avx512:
      return "avx512";
  }
  return "?";
}

std::vector<HashEngine> available_engines(HashAlgorithm algorithm) {
  std::vector<HashEngine> engines{HashEngine::openssl};
  if (features().sha_ni && algorithm == HashAlgorithm::sha256)
    engines.push_back(HashEngine::sha_ni);
  if (features().avx2) engines.push_back(HashEngine::avx2);
  if (features().avx512) engines.push_back(HashEngine::avx512);
  return engines;
}

std::unique_ptr<BlockEngine> make_engine(HashAlgorithm algorithm, const BlockShape& shape,
                                         std::optional<HashEngine> engine) {
#if defined(__x86_64__)
  switch (algorithm) {
    case HashAlgorithm::sha256:
      return with_steps(algorithm, shape, steps_for_sha256(engine));
    case HashAlgorithm::sha512:
      return with_steps(algorithm, shape, steps_for_sha512(engine));
  }
#endif
  static_cast<void>(engine);  // there is only one
  return make_openssl_engine(hash_method(algorithm), shape);
}

}  // namespace intact::crypto
