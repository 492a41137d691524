#include <gtest/gtest.h>

#include <intact/crypto/kdf.h>
#include <intact/crypto/random.h>
#include <intact/crypto/secretbox.h>

namespace intact::crypto {
namespace {

Secret secret(std::string_view text) {
  return Secret::copy_of(as_bytes(text));
}

// RFC 7914, section 12.
TEST(Scrypt, HasTheVectorsOfItsSpecification) {
  const auto small = scrypt(secret(""), {}, {.n = 16, .r = 1, .p = 1}, 64);
  ASSERT_TRUE(small) << small.error().message();
  EXPECT_EQ(to_hex(small->expose()),
            "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
            "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906");
  const auto medium =
      scrypt(secret("password"), as_bytes("NaCl"), {.n = 1024, .r = 8, .p = 16}, 64);
  ASSERT_TRUE(medium);
  EXPECT_EQ(to_hex(medium->expose()),
            "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
            "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640");
}

TEST(Scrypt, TakesMoreMemoryThanOpenSslAllowsByItself) {
  EXPECT_TRUE(scrypt(secret("p"), as_bytes("s"), {.n = 65536, .r = 8, .p = 1}, 32));
}

TEST(Scrypt, RefusesParametersThatItDoesNotHave) {
  for (const ScryptParams params :
       {ScryptParams{.n = 1000, .r = 8, .p = 1}, ScryptParams{.n = 0, .r = 8, .p = 1},
        ScryptParams{.n = 16, .r = 0, .p = 1}, ScryptParams{.n = UINT64_MAX, .r = 8, .p = 1},
        ScryptParams{.n = 1ULL << 62, .r = UINT32_MAX, .p = 1}}) {
    const auto key = scrypt(secret("p"), as_bytes("s"), params, 32);
    ASSERT_FALSE(key);
    EXPECT_EQ(key.error().kind(), ErrorKind::invalid_argument);
  }
}

TEST(Secretbox, OpensWithTheKeyOnly) {
  const Secret key = Secret::random(kSecretboxKeySize);
  const Bytes nonce = random_bytes(kSecretboxNonceSize);
  const Bytes box = seal_secretbox(key, nonce, secret("attack at dawn"));
  ASSERT_EQ(box.size(), kSecretboxTagSize + 14);
  const auto opened = open_secretbox(key, nonce, box);
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->expose_text(), "attack at dawn");

  EXPECT_EQ(open_secretbox(Secret::random(kSecretboxKeySize), nonce, box).error().kind(),
            ErrorKind::bad_secret);
  EXPECT_EQ(open_secretbox(key, random_bytes(kSecretboxNonceSize), box).error().kind(),
            ErrorKind::bad_secret);
  for (std::size_t i = 0; i < box.size(); ++i) {
    Bytes changed = box;
    changed[i] ^= std::byte{1};
    EXPECT_EQ(open_secretbox(key, nonce, changed).error().kind(), ErrorKind::bad_secret) << i;
  }
  EXPECT_EQ(open_secretbox(key, nonce, ByteSpan(box).first(15)).error().kind(),
            ErrorKind::malformed);
}

}  // namespace
}  // namespace intact::crypto
