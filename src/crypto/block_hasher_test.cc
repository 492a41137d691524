#include <algorithm>
#include <random>
#include <tuple>

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <rapidcheck.h>

#include <intact/crypto/block_hasher.h>
#include <intact/crypto/hash.h>

namespace intact::crypto {
namespace {

Bytes random_bytes(std::size_t size, unsigned seed = 1) {
  std::mt19937 random(seed);
  Bytes bytes(size);
  std::ranges::generate(bytes, [&] { return static_cast<std::byte>(random()); });
  return bytes;
}

MessageFrame frame(std::size_t prefix, std::size_t head, std::size_t suffix) {
  return {.prefix = random_bytes(prefix, 2), .head_size = head, .suffix = random_bytes(suffix, 3)};
}

/// What OpenSSL makes of the messages, one after the other.
Bytes expected(HashAlgorithm algorithm, const MessageFrame& around, ByteSpan blocks, ByteSpan heads,
               std::size_t block_size, std::size_t count) {
  Bytes digests;
  Hasher hasher(algorithm);
  for (std::size_t i = 0; i < count; ++i) {
    hasher.update(around.prefix);
    hasher.update(heads.subspan(i * around.head_size, around.head_size));
    hasher.update(blocks.subspan(i * block_size, block_size));
    const Digest digest = hasher.update(around.suffix).finish();
    digests.insert(digests.end(), digest.bytes().begin(), digest.bytes().end());
  }
  return digests;
}

/// Whether `engine` does as OpenSSL does. The spans have just the size that they need, one byte off
/// any alignment.
testing::AssertionResult agrees(HashAlgorithm algorithm, std::optional<HashEngine> engine,
                                const MessageFrame& around, std::size_t block_size,
                                std::size_t count) {
  const Bytes data = random_bytes(count * block_size + 1, 4);
  const Bytes head_data = random_bytes(count * around.head_size + 1, 5);
  const ByteSpan blocks = ByteSpan(data).subspan(1);
  const ByteSpan heads = ByteSpan(head_data).subspan(1);
  const BlockHasher hasher(algorithm, block_size, around, engine);
  Bytes digests(count * hasher.digest_size() + 1);
  hasher.hash(blocks, heads, MutableByteSpan(digests).subspan(1));
  if (equal(ByteSpan(digests).subspan(1),
            expected(algorithm, around, blocks, heads, block_size, count)))
    return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << count << " blocks of " << block_size << ", prefix " << around.prefix.size() << ", head "
         << around.head_size << ", suffix " << around.suffix.size();
}

using Way = std::tuple<HashAlgorithm, std::optional<HashEngine>>;

class BlockHasherTest : public testing::TestWithParam<Way> {
 protected:
  void SetUp() override {
    std::tie(algorithm_, engine_) = GetParam();
    if (engine_ && std::ranges::count(available_engines(algorithm_), *engine_) == 0)
      GTEST_SKIP() << "this processor has no " << to_string(*engine_) << " for "
                   << to_string(algorithm_);
  }

  HashAlgorithm algorithm_ = HashAlgorithm::sha256;
  std::optional<HashEngine> engine_;
};

TEST_P(BlockHasherTest, BlocksOfEverySizeAroundTheBordersOfTheFunction) {
  for (std::size_t size = 0; size <= 400; ++size)
    for (const std::size_t count : {1, 2, 19})
      ASSERT_TRUE(agrees(algorithm_, engine_, {}, size, count));
}

TEST_P(BlockHasherTest, EveryNumberOfBlocks) {
  for (std::size_t count = 0; count <= 100; ++count) {
    ASSERT_TRUE(agrees(algorithm_, engine_, {}, 1024, count));
    ASSERT_TRUE(agrees(algorithm_, engine_, frame(16, 8, 32), 512, count));
  }
}

TEST_P(BlockHasherTest, PrefixesHeadsAndSuffixesOfEverySize) {
  for (const std::size_t block_size : {0, 1, 127, 128}) {
    for (std::size_t size = 0; size <= 260; ++size) {
      ASSERT_TRUE(agrees(algorithm_, engine_, frame(size, 0, 0), block_size, 5));
      ASSERT_TRUE(agrees(algorithm_, engine_, frame(0, size, 0), block_size, 5));
      ASSERT_TRUE(agrees(algorithm_, engine_, frame(0, 0, size), block_size, 5));
      ASSERT_TRUE(agrees(algorithm_, engine_, frame(size, 8, 260 - size), block_size, 5));
    }
  }
}

TEST_P(BlockHasherTest, BlocksAsHashTreesHaveThem) {
  for (const std::size_t block_size : {1024, 4096})
    for (const std::size_t count : {1, 16, 17, 64})
      for (const std::size_t salt : {0, 64, 128})
        ASSERT_TRUE(agrees(algorithm_, engine_, frame(salt, 0, 0), block_size, count));
  ASSERT_TRUE(agrees(algorithm_, engine_, frame(0, 0, 32), 65536, 17));
}

TEST_P(BlockHasherTest, AnyMessages) {
  const bool good = rc::check([this] {
    const auto pick = [](std::size_t limit) { return *rc::gen::inRange<std::size_t>(0, limit); };
    const MessageFrame around = frame(pick(300), pick(20), pick(300));
    const std::size_t block_size = pick(1200), count = pick(80);
    RC_ASSERT(agrees(algorithm_, engine_, around, block_size, count));
  });
  EXPECT_TRUE(good);
}

std::string way_name(const testing::TestParamInfo<Way>& info) {
  const auto& [algorithm, engine] = info.param;
  std::string name(to_string(algorithm));
  name += engine ? "_" + std::string(to_string(*engine)) : "_fastest";
  std::ranges::replace(name, '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Sha256, BlockHasherTest,
                         testing::Combine(testing::Values(HashAlgorithm::sha256),
                                          testing::Values(std::nullopt, HashEngine::openssl,
                                                          HashEngine::sha_ni, HashEngine::avx2,
                                                          HashEngine::avx512)),
                         way_name);
INSTANTIATE_TEST_SUITE_P(Sha512, BlockHasherTest,
                         testing::Combine(testing::Values(HashAlgorithm::sha512),
                                          testing::Values(std::nullopt, HashEngine::openssl,
                                                          HashEngine::avx2, HashEngine::avx512)),
                         way_name);

TEST(BlockHasher, OtherFunctionsOfOpenssl) {
  for (const char* name : {"sha1", "sha256", "sha384", "sha512", "sha3-256", "md5"}) {
    const Bytes blocks = random_bytes(3 * 100);
    const MessageFrame around = frame(20, 0, 7);
    const auto function = find_hash_function(name);
    ASSERT_TRUE(function) << name;
    const BlockHasher hasher(*function, 100, around);
    Bytes digests(3 * hasher.digest_size());
    hasher.hash(blocks, digests);

    Bytes second = around.prefix;
    second.insert(second.end(), blocks.begin() + 100, blocks.begin() + 200);
    second.insert(second.end(), around.suffix.begin(), around.suffix.end());
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    std::size_t size = 0;
    ASSERT_EQ(
        EVP_Q_digest(nullptr, name, nullptr, second.data(), second.size(), digest.data(), &size),
        1);
    ASSERT_EQ(size, hasher.digest_size()) << name;
    EXPECT_TRUE(
        equal(ByteSpan(digests).subspan(size, size), std::as_bytes(std::span(digest).first(size))))
        << name;
  }
}

/// The hash of "abc", taken apart into all that can stand around a block.
std::string hash_of_abc(std::string_view name) {
  const auto function = find_hash_function(name);
  if (!function) return "?";
  const auto bytes = [](std::string_view text) {
    return Bytes(as_bytes(text).begin(), as_bytes(text).end());
  };
  const BlockHasher hasher(*function, 0,
                           {.prefix = bytes("a"), .head_size = 1, .suffix = bytes("c")});
  Bytes digests(3 * hasher.digest_size());
  hasher.hash({}, as_bytes("xby"), digests);
  return to_hex(ByteSpan(digests).subspan(hasher.digest_size(), hasher.digest_size()));
}

// Of the standards: ISO/IEC 10118-3, RFC 7693's function with other lengths (as `b2sum -l` and
// Python's hashlib give them), RFC 1320. Streebog's standard has longer messages only, which
// libgcrypt's own tests check.
TEST(BlockHasher, FunctionsOfLibgcrypt) {
  EXPECT_EQ(hash_of_abc("whirlpool"),
            "4e2448a4c6f486bb16b6562c73b4020bf3043e3a731bce721ae1b303d97e6d4c"
            "7181eebdb6c57e277d0e34957114cbd6c797fc9d95d8b582d225292076d4eef5");
  EXPECT_EQ(hash_of_abc("wp512"), hash_of_abc("whirlpool"));
  EXPECT_EQ(hash_of_abc("md4"), "a448017aaf21d8525fc10ae87aa6729d");
  EXPECT_EQ(hash_of_abc("blake2b-384"),
            "6f56a82c8e7ef526dfe182eb5212f7db9df1317e57815dbda46083fc30f54ee6"
            "c66ba83be64b302d7cba6ce15bb556f4");
  EXPECT_EQ(hash_of_abc("blake2b-256"),
            "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
  EXPECT_EQ(hash_of_abc("blake2b-160"), "384264f676f39536840523f284921cdc68b6846b");
  EXPECT_EQ(hash_of_abc("blake2s-224"), "0b033fc226df7abde29f67a05d3dc62cf271ef3dfea4d387407fbd55");
  EXPECT_EQ(hash_of_abc("blake2s-160"), "5ae3b99be29b01834c3b508521ede60438f8de17");
  EXPECT_EQ(hash_of_abc("blake2s-128"), "aa4938119b1dc7b87cbad0ffd200d0ae");
  EXPECT_EQ(hash_of_abc("streebog256").size(), 64u);
  EXPECT_EQ(hash_of_abc("streebog512"), hash_of_abc("stribog512"));
}

TEST(HashFunction, RefusesWhatIsNoHashOfAFixedSize) {
  for (const char* name : {"", "sha255", "shake128", "crc32", "SHA2-256", "hmac(sha256)"}) {
    const auto function = find_hash_function(name);
    ASSERT_FALSE(function) << name;
    EXPECT_EQ(function.error().kind(), ErrorKind::unsupported);
  }
  EXPECT_TRUE(find_hash_function("SHA256"));
}

}  // namespace
}  // namespace intact::crypto
