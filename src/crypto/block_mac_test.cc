#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <intact/crypto/block_hasher.h>
#include <intact/crypto/random.h>

namespace intact::crypto {
namespace {

Bytes one(std::string_view name, ByteSpan key, ByteSpan message) {
  const auto mac = BlockMac::create(name, key, message.size());
  EXPECT_TRUE(mac) << name;
  if (!mac) return {};
  Bytes digest((*mac)->digest_size());
  (*mac)->hash(message, {}, digest);
  return digest;
}

ErrorKind refused(std::string_view name, ByteSpan key) {
  const auto mac = BlockMac::create(name, key, 16);
  EXPECT_FALSE(mac) << name;
  return mac ? ErrorKind::io : mac.error().kind();
}

TEST(BlockMac, KnowsTheVectorsOfTheStandards) {
  // RFC 4231, test cases 2 and 6: a short key and one longer than a block of the hash.
  EXPECT_EQ(to_hex(one("hmac(sha256)", as_bytes("Jefe"), as_bytes("what do ya want for nothing?"))),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(to_hex(one("hmac(sha256)", Bytes(131, std::byte{0xaa}),
                       as_bytes("Test Using Larger Than Block-Size Key - Hash Key First"))),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  // RFC 4493, example 2.
  EXPECT_EQ(to_hex(one("cmac(aes)", *from_hex("2b7e151628aed2a6abf7158809cf4f3c"),
                       *from_hex("6bc1bee22e409f96e93d7e117393172a"))),
            "070a16b46b4d4144f79bdd9dd04a287c");
  // BLAKE2's own vectors: "abc", and blake2b-kat's with key 00..3f and message 00.
  EXPECT_EQ(to_hex(one("blake2b-256", {}, as_bytes("abc"))),
            "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
  Bytes key(64);
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::byte>(i);
  EXPECT_EQ(to_hex(one("blake2b-512", key, Bytes(1))),
            "961f6dd1e4dd30f63901690c512e78e4b45e4742ed197c3c5e45c549fd25f2e4"
            "187b0bc9fe30492b16b0d0bc4ef9b0f34c7003fac09a5ef1532e69430234cebd");
}

TEST(BlockMac, HashesManyFramedMessagesAsOpensslDoesOne) {
  const Bytes key = random_bytes(20);
  const Bytes blocks = random_bytes(std::size_t{40} * 512),
              heads = random_bytes(std::size_t{40} * 8);
  const Bytes prefix = random_bytes(16);
  for (const char* hash : {"sha1", "sha256", "sha512", "sha3-256"}) {
    const auto mac = *BlockMac::create(std::string("hmac(") + hash + ")", key, 512,
                                       {.prefix = prefix, .head_size = 8});
    Bytes digests(40 * mac->digest_size());
    mac->hash(blocks, heads, digests);
    for (std::size_t i = 0; i < 40; ++i) {
      Bytes message = prefix;
      message.insert(message.end(), heads.begin() + static_cast<long>(i * 8),
                     heads.begin() + static_cast<long>(i * 8 + 8));
      message.insert(message.end(), blocks.begin() + static_cast<long>(i * 512),
                     blocks.begin() + static_cast<long>(i * 512 + 512));
      Bytes expected(mac->digest_size());
      HMAC(EVP_get_digestbyname(hash), key.data(), static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(message.data()), message.size(),
           reinterpret_cast<unsigned char*>(expected.data()), nullptr);
      ASSERT_EQ(to_hex(expected),
                to_hex(ByteSpan(digests).subspan(i * expected.size(), expected.size())))
          << hash << " message " << i;
    }
  }
}

TEST(BlockMac, RefusesUnknownNamesAndKeysThatDoNotFit) {
  EXPECT_EQ(refused("hmac(nothing)", as_bytes("k")), ErrorKind::unsupported);
  EXPECT_EQ(refused("hmac(sha256", as_bytes("k")), ErrorKind::unsupported);
  EXPECT_EQ(refused("hmac()", as_bytes("k")), ErrorKind::unsupported);
  EXPECT_EQ(refused("hmac(sha256)", {}), ErrorKind::bad_secret);
  EXPECT_EQ(refused("sha256", as_bytes("k")), ErrorKind::bad_secret);
  EXPECT_EQ(refused("cmac(aes)", as_bytes("short")), ErrorKind::bad_secret);
  EXPECT_EQ(refused("blake2b-256", Bytes(65)), ErrorKind::bad_secret);
  EXPECT_TRUE(BlockMac::create("hmac(sha256)", as_bytes("k"), 16));
}

}  // namespace
}  // namespace intact::crypto
