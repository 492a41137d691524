#include "af_split.h"

#include <gtest/gtest.h>

#include <intact/crypto/random.h>

namespace intact::crypto {
namespace {

Bytes pattern(std::size_t size, unsigned step) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<std::byte>(i * step + step * 7 + (i >> 8));
  return bytes;
}

// Made by a few lines of Python with hashlib.
TEST(AfSplit, MergesLikeLuks) {
  struct {
    const char* hash;
    std::size_t size, stripes;
    const char* key;
  } const vectors[] = {
      {"sha256", 64, 4000,
       "7d418089b40048d36bf231ef0b851c8b3a3a8688759d2f3ff725aec222d3d1d0bc24b050746541ac822af4e1228"
       "ff8188d856b0e32cfc2200a6fdbfe7a17e799"},
      {"sha1", 32, 4000, "c1e1cd0cc5052543180f546aa6c0cfe52af6880a6df4aea7652164e67707d008"},
      {"sha512", 32, 7, "09d7c71c293500fe0a91c82036ad616ccba01b6af56a7d8973474095defea525"},
      {"ripemd160", 33, 100, "2961c1fe8c8ce57067975f47a86fb890ed36989012dc070063839a7515618bcac3"},
      {"sha256", 1, 2, "eb"},
      {"sha256", 16, 1, "5b6875828f9ca9b6c3d0ddeaf704111e"},
  };
  for (const auto& [hash, size, stripes, key] : vectors) {
    const auto merged = af_merge(hash, pattern(size * stripes, 13), stripes);
    ASSERT_TRUE(merged) << hash << ": " << merged.error().message();
    EXPECT_EQ(to_hex(merged->expose()), key) << hash << ", " << stripes;
  }
}

TEST(AfSplit, IsUndoneByMerging) {
  for (const char* const hash : {"sha1", "sha256", "sha512", "whirlpool"})
    for (const std::size_t size : {1, 16, 20, 32, 64, 96, 131})
      for (const std::size_t stripes : {1, 2, 50}) {
        const Secret key = Secret::random(size);
        const auto material = af_split(hash, key, stripes);
        ASSERT_TRUE(material) << material.error().message();
        EXPECT_EQ(material->size(), size * stripes);
        const auto merged = af_merge(hash, material->expose(), stripes);
        ASSERT_TRUE(merged) << merged.error().message();
        EXPECT_TRUE(equal_secret(merged->expose(), key.expose())) << hash << " " << size;
        // Any bit of any stripe matters.
        if (stripes < 2 || size < 16) continue;
        auto changed = Secret::copy_of(material->expose());
        changed.expose()[size / 2] ^= std::byte{1};
        EXPECT_FALSE(
            equal_secret(af_merge(hash, changed.expose(), stripes)->expose(), key.expose()));
      }
}

TEST(AfSplit, RefusesWhatIsNotWholeStripes) {
  const auto kind = [](std::string_view hash, std::size_t size, std::size_t stripes) {
    const auto merged = af_merge(hash, Bytes(size), stripes);
    return merged ? ErrorKind::exists : merged.error().kind();
  };
  EXPECT_EQ(kind("sha256", 64, 4), ErrorKind::exists);
  EXPECT_EQ(kind("sha256", 64, 0), ErrorKind::invalid_argument);
  EXPECT_EQ(kind("sha256", 64, 5), ErrorKind::invalid_argument);
  EXPECT_EQ(kind("sha256", 0, 4), ErrorKind::invalid_argument);
  EXPECT_EQ(kind("sha7", 64, 4), ErrorKind::unsupported);
  EXPECT_EQ(af_split("sha256", Secret(32), SIZE_MAX).error().kind(), ErrorKind::invalid_argument);
  EXPECT_EQ(af_split("sha256", {}, 4000).error().kind(), ErrorKind::invalid_argument);
}

}  // namespace
}  // namespace intact::crypto
