#include "tag_hash.h"

#include <gtest/gtest.h>

namespace intact::integrity {
namespace {

Algorithm algorithm(std::string name, std::string_view key_hex = "") {
  if (key_hex.empty()) return {std::move(name), {}};
  return {std::move(name),
          std::make_shared<const crypto::Secret>(crypto::Secret::copy_of(*from_hex(key_hex)))};
}

std::array<std::byte, 16> counting_salt() {
  std::array<std::byte, 16> salt;
  for (std::size_t i = 0; i < salt.size(); ++i) salt[i] = static_cast<std::byte>(i);
  return salt;
}

/// The tag of a block of zeros at logical sector `sector`.
std::string tag(const Algorithm& hash, std::uint32_t block_size, std::uint64_t sector,
                std::uint32_t tag_size,
                std::optional<std::array<std::byte, 16>> salt = std::nullopt) {
  const auto tagger =
      TagHash::create(hash, {.block_size = block_size, .tag_size = tag_size, .salt = salt});
  EXPECT_TRUE(tagger) << tagger.error().message();
  Bytes out(tag_size);
  (*tagger)->compute(sector / (block_size / 512), Bytes(block_size), out);
  return to_hex(out);
}

// All checked with Linux 6.12.
TEST(TagHash, IsThatOfTheKernel) {
  EXPECT_EQ(tag(algorithm("crc32c"), 512, 0, 4), "c740e882");
  EXPECT_EQ(tag(algorithm("crc32"), 512, 0, 4), "00000000");
  EXPECT_EQ(tag(algorithm("xxhash64"), 512, 0, 8), "1f927d59661cc808");
  EXPECT_EQ(tag(algorithm("sha256"), 512, 0, 8), "20aa497d9bd4c19e");
  EXPECT_EQ(tag(algorithm("hmac(sha256)",
                          "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"),
                512, 0, 8),
            "7809c6e31cfe3a25");
  EXPECT_EQ(tag(algorithm("crc32c"), 512, 0, 4, counting_salt()), "26f19857");
  EXPECT_EQ(tag(algorithm("crc32c"), 512, 8, 4), "f028460f");
  EXPECT_EQ(tag(algorithm("crc32"), 512, 8, 4), "67bbbf2a");
  EXPECT_EQ(tag(algorithm("xxhash64"), 512, 8, 8), "59161f24982eed46");
  EXPECT_EQ(tag(algorithm("sha256"), 512, 8, 8), "b1d7ea5c03b771ec");
  EXPECT_EQ(tag(algorithm("crc32c"), 4096, 0, 4), "3770bf5d");
  EXPECT_EQ(tag(algorithm("crc32c"), 4096, 8, 4), "729fa455");
  EXPECT_EQ(tag(algorithm("crc32"), 4096, 8, 4), "645de1ec");
}

TEST(TagHash, CutsAndPads) {
  const std::string whole = tag(algorithm("sha256"), 512, 8, 32);
  EXPECT_EQ(tag(algorithm("sha256"), 512, 8, 5), whole.substr(0, 10));
  EXPECT_EQ(tag(algorithm("sha256"), 512, 8, 35), whole + "000000");
  EXPECT_EQ(tag(algorithm("crc32c"), 512, 8, 6), "f028460f0000");
}

TEST(TagHash, TakesStartValuesAsKeys) {
  EXPECT_EQ(tag(algorithm("crc32c", "ffffffff"), 512, 0, 4), "c740e882");
  EXPECT_NE(tag(algorithm("crc32c", "fffffffe"), 512, 0, 4), "c740e882");
  EXPECT_EQ(tag(algorithm("crc32", "00000000"), 512, 8, 4), "67bbbf2a");
  EXPECT_EQ(tag(algorithm("xxhash64", "0000000000000000"), 512, 0, 8), "1f927d59661cc808");
}

TEST(TagHash, HashesManyBlocksAsItDoesOne) {
  constexpr std::size_t kBlocks = 150;
  Bytes blocks(kBlocks * 512);
  for (std::size_t i = 0; i < blocks.size(); ++i) blocks[i] = static_cast<std::byte>(i * 31 >> 3);
  const char* const key = "00112233";
  for (const Algorithm& hash :
       {algorithm("crc32c"), algorithm("crc32", key), algorithm("xxhash64"), algorithm("sha1"),
        algorithm("sha512"), algorithm("sha3-256"), algorithm("blake2b-256"),
        algorithm("blake2s-256"), algorithm("hmac(sha256)", key), algorithm("hmac(sha512)", key)}) {
    const auto tagger =
        *TagHash::create(hash, {.block_size = 512, .tag_size = 20, .salt = counting_salt()});
    Bytes all(kBlocks * 20), one(20);
    tagger->compute(1000, blocks, all);
    for (std::size_t i = 0; i < kBlocks; ++i) {
      tagger->compute(1000 + i, ByteSpan(blocks).subspan(i * 512, 512), one);
      ASSERT_TRUE(equal(one, ByteSpan(all).subspan(i * 20, 20))) << hash.name << " block " << i;
    }
  }
}

TEST(TagHash, RefusesKeysThatDoNotFit) {
  const auto refusal = [](const Algorithm& hash) {
    const auto tagger = TagHash::create(hash, {.block_size = 512, .tag_size = 4});
    return tagger ? ErrorKind::io : tagger.error().kind();
  };
  EXPECT_EQ(refusal(algorithm("crc32c", "0011")), ErrorKind::bad_secret);
  EXPECT_EQ(refusal(algorithm("xxhash64", "00112233")), ErrorKind::bad_secret);
  EXPECT_EQ(refusal(algorithm("hmac(sha256)")), ErrorKind::bad_secret);
  EXPECT_EQ(refusal(algorithm("nothing")), ErrorKind::unsupported);
}

}  // namespace
}  // namespace intact::integrity
