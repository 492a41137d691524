#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <intact/crypt/sector_crypt.h>

namespace intact::crypt {
namespace {

void expect(std::string_view text, std::string_view cipher, std::string_view iv,
            std::string_view options = "", std::uint32_t keys = 1) {
  const auto spec = CipherSpec::parse(text);
  ASSERT_TRUE(spec) << text << ": " << spec.error().message();
  EXPECT_EQ(spec->text, text);
  EXPECT_EQ(spec->cipher, cipher) << text;
  EXPECT_EQ(spec->iv, iv) << text;
  EXPECT_EQ(spec->iv_options, options) << text;
  EXPECT_EQ(spec->key_count, keys) << text;
}

TEST(CipherSpec, ReadsTheClassicForm) {
  expect("aes-xts-plain64", "xts(aes)", "plain64");
  expect("aes-cbc-essiv:sha256", "cbc(aes)", "essiv", "sha256");
  expect("aes-cbc-essiv:sha3-256", "cbc(aes)", "essiv", "sha3-256");
  expect("aes-ecb", "ecb(aes)", "");
  expect("aes-ecb-plain", "ecb(aes)", "plain");
  expect("aes:64-cbc-lmk", "cbc(aes)", "lmk", "", 64);
  expect("aes:2-cbc-essiv:sha256", "cbc(aes)", "essiv", "sha256", 2);
  expect("aes", "cbc(aes)", "plain");
  expect("aes-plain", "cbc(aes)", "plain");
  expect("twofish:4", "cbc(twofish)", "plain", "", 4);
  expect("aes-plain-plain64", "plain(aes)", "plain64");  // a mode of that name, which none has
  expect("aes-gcm-random", "gcm(aes)", "random");
}

TEST(CipherSpec, ReadsTheFormOfTheCryptoApi) {
  expect("capi:xts(aes)-plain64", "xts(aes)", "plain64");
  expect("capi:cbc(aes)-essiv:sha256", "cbc(aes)", "essiv", "sha256");
  expect("capi:cbc(aes)-essiv:blake2b-256", "cbc(aes)", "essiv", "blake2b-256");
  expect("capi:authenc(hmac(sha3-256),xts(aes))-random", "authenc(hmac(sha3-256),xts(aes))",
         "random");
  expect("capi:rfc7539(chacha20,poly1305)-plain64", "rfc7539(chacha20,poly1305)", "plain64");
  expect("capi:cbc(aes)-lmk", "cbc(aes)", "lmk", "", 64);
  expect("capi:ecb(aes)", "ecb(aes)", "");
}

TEST(CipherSpec, RefusesInTheKernelsWords) {
  const auto refusal = [](std::string_view text) {
    const auto spec = CipherSpec::parse(text);
    if (spec) return std::string("accepted");
    EXPECT_EQ(spec.error().kind(), ErrorKind::invalid_argument) << text;
    return spec.error().message();
  };
  EXPECT_EQ(refusal("xts(aes)-plain64"),
            "Bad cipher specification: the crypto API's names follow 'capi:': 'xts(aes)-plain64'");
  EXPECT_EQ(refusal("aes:3-cbc-plain"),
            "Bad cipher key count specification: not a power of two: 'aes:3-cbc-plain'");
  for (const char* const text :
       {"aes:0-cbc-plain", "aes:-cbc-plain", "aes:2x-cbc-plain", "aes:-2-cbc-plain",
        "aes:4294967296-cbc-plain", "aes: 2-cbc-plain"})
    EXPECT_TRUE(refusal(text).starts_with("Bad cipher key count specification")) << text;
  EXPECT_EQ(refusal("aes-xts"), "IV mechanism required: 'aes-xts'");
  EXPECT_EQ(refusal("aes-cbc-essiv"), "Digest algorithm missing for ESSIV mode: 'aes-cbc-essiv'");
  EXPECT_EQ(refusal("aes-cbc-essiv:"), "Digest algorithm missing for ESSIV mode: 'aes-cbc-essiv:'");
  EXPECT_EQ(refusal("capi:cbc(aes)-essiv"),
            "Digest algorithm missing for ESSIV mode: 'capi:cbc(aes)-essiv'");
  EXPECT_EQ(refusal("capi:"), "Bad cipher specification: 'capi:'");
  EXPECT_TRUE(refusal("capi:" + std::string(200, 'x') + "-plain").starts_with("Bad cipher spec"));
}

TEST(CipherSpec, ReadsAnything) {
  EXPECT_TRUE(rc::check([](const std::string& text) {
    for (const std::string& prefix : {std::string(), std::string("capi:"), std::string("aes:")}) {
      const auto spec = CipherSpec::parse(prefix + text);
      if (spec) {
        RC_ASSERT(spec->text == prefix + text);
        RC_ASSERT(spec->key_count != 0u);
      }
    }
  }));
}

}  // namespace
}  // namespace intact::crypt
