#include <gtest/gtest.h>

#include <intact/crypto/cipher.h>
#include <intact/crypto/random.h>

namespace intact::crypto {
namespace {

TEST(Cipher, KnowsTheVectorsOfNist) {
  // SP 800-38A, F.2.1 and F.1.1: the first block.
  const Bytes key = *from_hex("2b7e151628aed2a6abf7158809cf4f3c");
  const Bytes iv = *from_hex("000102030405060708090a0b0c0d0e0f");
  const Bytes plain = *from_hex("6bc1bee22e409f96e93d7e117393172a");
  Bytes out(16);
  const auto cbc = *Cipher::create("cbc(aes)", key);
  EXPECT_EQ(cbc->iv_size(), 16u);
  EXPECT_EQ(cbc->block_size(), 16u);
  cbc->encrypt(iv, plain, out);
  EXPECT_EQ(to_hex(out), "7649abac8119b246cee98e9b12e9197d");
  const auto ecb = *Cipher::create("ecb(aes)", key);
  EXPECT_EQ(ecb->iv_size(), 0u);
  ecb->encrypt({}, plain, out);
  EXPECT_EQ(to_hex(out), "3ad77bb40d7a3660a89ecaf32466ef97");
}

TEST(Cipher, DecryptsWhatItEncrypts) {
  for (const auto& [name, key_size] : {std::pair<const char*, std::size_t>{"cbc(aes)", 32},
                                       {"xts(aes)", 64},
                                       {"ecb(camellia)", 16},
                                       {"ctr(aes)", 24},
                                       {"chacha20", 32}}) {
    const auto cipher = *Cipher::create(name, random_bytes(key_size));
    const Bytes iv = random_bytes(cipher->iv_size()), plain = random_bytes(4096);
    Bytes bytes = plain;
    cipher->encrypt(iv, bytes, bytes);
    EXPECT_NE(bytes, plain) << name;
    cipher->decrypt(iv, bytes, bytes);
    EXPECT_EQ(bytes, plain) << name;
  }
}

TEST(Cipher, FindsAnyPlaceOfAKeystream) {
  for (const char* name : {"ctr(aes)", "chacha20"}) {
    const auto cipher = *Cipher::create(name, random_bytes(32));
    EXPECT_EQ(cipher->block_size(), 1u);
    Bytes whole(1 << 17), part(512);
    cipher->encrypt(Bytes(cipher->iv_size()), whole, whole);
    for (const std::size_t at : {std::size_t{0}, std::size_t{512}, std::size_t{65536 + 1024}}) {
      std::ranges::fill(part, std::byte{0});
      cipher->xor_keystream(at, part);
      EXPECT_TRUE(equal(part, ByteSpan(whole).subspan(at, 512))) << name << " at " << at;
    }
  }
}

TEST(Cipher, RefusesUnknownNamesAndKeysThatDoNotFit) {
  const auto kind = [](std::string_view name, std::size_t size) {
    const auto cipher = Cipher::create(name, random_bytes(size));
    return cipher ? ErrorKind::io : cipher.error().kind();
  };
  EXPECT_EQ(kind("cbc(none)", 16), ErrorKind::unsupported);
  EXPECT_EQ(kind("cbc(aes)", 15), ErrorKind::bad_secret);
  EXPECT_EQ(kind("cbc(aes)", 0), ErrorKind::bad_secret);
  EXPECT_EQ(kind("xts(aes)", 33), ErrorKind::bad_secret);
  EXPECT_EQ(kind("chacha20", 16), ErrorKind::bad_secret);
  EXPECT_FALSE(Cipher::create("xts(aes)", Bytes(64)));  // both halves alike
  EXPECT_TRUE(Cipher::create("cbc(aes)", Bytes(16)));
}

}  // namespace
}  // namespace intact::crypto
