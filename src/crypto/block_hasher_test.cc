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

TEST(BlockHasher, OtherFunctionsByTheNamesThatOpensslHasForThem) {
  for (const char* name : {"sha1", "SHA2-256", "sha384", "sha512", "blake2b512", "sha3-256"}) {
    const Bytes blocks = random_bytes(3 * 100);
    const MessageFrame around = frame(20, 0, 7);
    const auto hasher = BlockHasher::create(name, 100, around);
    ASSERT_TRUE(hasher) << name;
    Bytes digests(3 * hasher->digest_size());
    hasher->hash(blocks, digests);

    Bytes second = around.prefix;
    second.insert(second.end(), blocks.begin() + 100, blocks.begin() + 200);
    second.insert(second.end(), around.suffix.begin(), around.suffix.end());
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    std::size_t size = 0;
    ASSERT_EQ(
        EVP_Q_digest(nullptr, name, nullptr, second.data(), second.size(), digest.data(), &size),
        1);
    ASSERT_EQ(size, hasher->digest_size()) << name;
    EXPECT_TRUE(
        equal(ByteSpan(digests).subspan(size, size), std::as_bytes(std::span(digest).first(size))))
        << name;
  }
  for (const char* name : {"", "sha255", "shake128"}) {
    const auto hasher = BlockHasher::create(name, 100);
    ASSERT_FALSE(hasher) << name;
    EXPECT_EQ(hasher.error().kind(), ErrorKind::unsupported);
  }
}

}  // namespace
}  // namespace intact::crypto
