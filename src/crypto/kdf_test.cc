// PBKDF2 and Argon2: vectors of RFCs and of other implementations, and PBKDF2 with every hash
// beside its definition. Those of scrypt are in sealing_test.cc.
#include <algorithm>

#include <gtest/gtest.h>

#include <intact/crypto/block_hasher.h>
#include <intact/crypto/hash_function.h>
#include <intact/crypto/kdf.h>
#include <intact/crypto/random.h>

namespace intact::crypto {
namespace {

using namespace std::string_view_literals;

Secret secret(std::string_view text) {
  return Secret::copy_of(as_bytes(text));
}

std::string pbkdf2_hex(std::string_view hash, std::string_view password, std::string_view salt,
                       std::uint64_t iterations, std::size_t size) {
  const auto key = pbkdf2(hash, secret(password), as_bytes(salt), iterations, size);
  return key ? to_hex(key->expose()) : key.error().message();
}

TEST(Pbkdf2, HasTheVectorsOfItsSpecifications) {
  // RFC 6070.
  EXPECT_EQ(pbkdf2_hex("sha1", "password", "salt", 1, 20),
            "0c60c80f961f0e71f3a9b524af6012062fe037a6");
  EXPECT_EQ(pbkdf2_hex("sha1", "password", "salt", 2, 20),
            "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957");
  EXPECT_EQ(pbkdf2_hex("sha1", "pass\0word"sv, "sa\0lt"sv, 4096, 16),
            "56fa6aa75548099dcc37d7f03425e0c3");
  // RFC 7914, section 11.
  EXPECT_EQ(pbkdf2_hex("sha256", "passwd", "salt", 1, 64),
            "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
            "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783");
}

// Made with Python's hashlib.pbkdf2_hmac.
TEST(Pbkdf2, AgreesWithPython) {
  EXPECT_EQ(pbkdf2_hex("sha224", "password", "salt", 2, 28),
            "93200ffa96c5776d38fa10abdf8f5bfc0054b9718513df472d2331d2");
  EXPECT_EQ(pbkdf2_hex("sha384", "password", "saltSALT", 5, 70),
            "44e2b80edd306b81ff7f55773f7cd948824afa6b3efce287d28b1f5807f5a3fd3d398b8262ade5a2e61c2d"
            "bcf782987ee7bd146e910cfdf770b9c784ced2c0c8df9128e301a3");
  EXPECT_EQ(pbkdf2_hex("sha512", "password", "salt", 4096, 64),
            "d197b1b33db0143e018b12f3d1d1479e6cdebdcc97c5c0f87f6902e072f457b5"
            "143f30602641b3d55cd335988cb36b84376060ecd532e039b742a239434af2d5");
  EXPECT_EQ(pbkdf2_hex("ripemd160", "password", "salt", 1000, 48),
            "b5c5682c46fdb315930cfc54e82d0987e6ef938fee932019"
            "1bfbac2700de4ed4518152edc1ea7755a9ead23514d664eb");
  EXPECT_EQ(pbkdf2_hex("sha3-256", "password", "salt", 7, 64),
            "669c8e27f7c9e9ad95d6c1eb784e0b2bd510f6d0b2e5b850a13a736ae9252c9f"
            "b10c44886ba6fb2b16d5a595143d39f1bc2b3e282c3f36a046970fc0f0f98912");
}

/// PBKDF2 as RFC 8018 defines it.
Bytes defined_pbkdf2(std::string_view hash, ByteSpan password, ByteSpan salt,
                     std::uint64_t iterations, std::size_t size) {
  Bytes key;
  for (std::uint8_t i = 1; key.size() < size; ++i) {
    Bytes message(salt.begin(), salt.end());
    for (const std::uint8_t byte : {std::uint8_t{0}, std::uint8_t{0}, std::uint8_t{0}, i})
      message.push_back(static_cast<std::byte>(byte));
    const std::string name = "hmac(" + std::string(hash) + ")";
    const auto first = *BlockMac::create(name, password, message.size());
    const auto further = *BlockMac::create(name, password, first->digest_size());
    Bytes u(first->digest_size());
    first->hash(message, {}, u);
    Bytes sum = u;
    for (std::uint64_t n = 1; n < iterations; ++n) {
      Bytes next(u.size());
      further->hash(u, {}, next);
      u = next;
      for (std::size_t b = 0; b < u.size(); ++b) sum[b] ^= u[b];
    }
    key.insert(key.end(), sum.begin(), sum.end());
  }
  key.resize(size);
  return key;
}

TEST(Pbkdf2, WorksWithEveryHash) {
  const Bytes salt = random_bytes(32);
  for (const HashFunction& function : hash_functions()) {
    for (const std::size_t length : {std::size_t{1}, std::size_t{300}}) {
      const Bytes password = random_bytes(length);
      const auto key = pbkdf2(function.name, Secret::copy_of(password), salt, 3, 100);
      ASSERT_TRUE(key) << function.name << ": " << key.error().message();
      EXPECT_TRUE(equal(key->expose(), defined_pbkdf2(function.name, password, salt, 3, 100)))
          << function.name << " with a password of " << length;
    }
  }
  for (const char* const hash : {"sha1", "sha224", "sha256", "sha384", "sha512", "ripemd160",
                                 "whirlpool", "sha3-512", "blake2b-512", "stribog512"})
    EXPECT_TRUE(find_hash_function(hash)) << hash;
}

TEST(Pbkdf2, TakesEmptyPasswordsAndRefusesWhatItDoesNotHave) {
  EXPECT_TRUE(pbkdf2("sha256", {}, as_bytes("salt"), 1, 32));
  EXPECT_TRUE(pbkdf2("sha256", {}, {}, 1, 32));
  EXPECT_TRUE(pbkdf2("whirlpool", {}, as_bytes("salt"), 1, 32));
  EXPECT_EQ(pbkdf2("sha256", secret("p"), as_bytes("salt"), 0, 32).error().kind(),
            ErrorKind::invalid_argument);
  EXPECT_EQ(pbkdf2("sha256", secret("p"), as_bytes("salt"), 1, 0).error().kind(),
            ErrorKind::invalid_argument);
  EXPECT_EQ(pbkdf2("whirlpool", secret("p"), {}, 1, 32).error().kind(),
            ErrorKind::invalid_argument);
  EXPECT_EQ(pbkdf2("sha7", secret("p"), as_bytes("salt"), 1, 32).error().kind(),
            ErrorKind::unsupported);
}

std::string argon2_hex(const Argon2Params& params, std::string_view salt, std::size_t size) {
  const auto key = argon2(secret("password"), as_bytes(salt), params, size);
  return key ? to_hex(key->expose()) : key.error().message();
}

// The vectors of RFC 9106 have a secret and associated data, which disks do not have. The first two
// are those of the reference implementation's own tests.
TEST(Argon2, HasTheVectorsOfItsReference) {
  EXPECT_EQ(argon2_hex({Argon2Type::argon2id, 2, 65536, 1}, "somesalt", 32),
            "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7");
  EXPECT_EQ(argon2_hex({Argon2Type::argon2i, 2, 65536, 1}, "somesalt", 32),
            "c1628832147d9720c5bd1cfd61367078729f6dfb6f8fea9ff98158e0d7816ed0");
}

// Made with Argon2id and Argon2i of Python's cryptography 48, which is OpenSSL's.
TEST(Argon2, AgreesWithOpenssl) {
  constexpr auto salt = "somesaltsomesalt";
  EXPECT_EQ(argon2_hex({Argon2Type::argon2id, 4, 1024, 4}, salt, 64),
            "f50af185fbee3722c4bf89cc91ffb4e4facf7e657547a7c6966ff17feb9a3cc3"
            "767c09af2550e573e73643fd72e32c25d0f98d340b580fbf3b0074da02a78e59");
  EXPECT_EQ(argon2_hex({Argon2Type::argon2id, 1, 32, 3}, salt, 16),
            "0ae30af9e691c74f845587956f52c100");
  EXPECT_EQ(argon2_hex({Argon2Type::argon2i, 4, 1024, 4}, salt, 64),
            "115f759ae6732498a66f42c0537a9b5fad0beec1eec6e165e682ceee74e436d0"
            "d8da8dc056294dd861710c2316cfce2c122a8dec294e553241aafd56c1783847");
  EXPECT_EQ(argon2_hex({Argon2Type::argon2i, 1, 32, 3}, salt, 16),
            "8b5e84b7fe7eb64a1a63eb7444a31039");
}

TEST(Argon2, RefusesParametersThatItDoesNotHave) {
  const auto kind = [](const Argon2Params& params, std::string_view salt, std::size_t size) {
    const auto key = argon2(secret("p"), as_bytes(salt), params, size);
    return key ? ErrorKind::exists : key.error().kind();
  };
  constexpr auto salt = "somesalt";
  EXPECT_EQ(kind({Argon2Type::argon2id, 1, 32, 4}, salt, 32), ErrorKind::exists);
  EXPECT_EQ(kind({Argon2Type::argon2id, 0, 32, 4}, salt, 32), ErrorKind::invalid_argument);
  EXPECT_EQ(kind({Argon2Type::argon2id, 1, 31, 4}, salt, 32), ErrorKind::invalid_argument);
  EXPECT_EQ(kind({Argon2Type::argon2id, 1, 32, 0}, salt, 32), ErrorKind::invalid_argument);
  EXPECT_EQ(kind({Argon2Type::argon2id, 1, 32, 1 << 24}, salt, 32), ErrorKind::invalid_argument);
  EXPECT_EQ(kind({Argon2Type::argon2id, 1, 32, 4}, "short", 32), ErrorKind::invalid_argument);
  EXPECT_EQ(kind({Argon2Type::argon2id, 1, 32, 4}, salt, 3), ErrorKind::invalid_argument);
}

}  // namespace
}  // namespace intact::crypto
