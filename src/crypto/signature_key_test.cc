#include <gtest/gtest.h>

#include <intact/crypto/base64.h>
#include <intact/crypto/signature_key.h>

namespace intact::crypto {
namespace {

struct Case {
  KeyType type;
  SignatureScheme scheme;
};

class SignatureKeyTest : public testing::TestWithParam<Case> {};

TEST_P(SignatureKeyTest, VerifiesItsOwnSignatureAndNoOther) {
  const auto [type, scheme] = GetParam();
  const auto key = SigningKey::generate(type);
  ASSERT_TRUE(key) << key.error().message();
  EXPECT_EQ(key->verifying_key().type(), type);
  const ByteSpan message = as_bytes("message");
  const auto signature = key->sign(scheme, message);
  ASSERT_TRUE(signature) << signature.error().message();

  // Through the encoded form, as a verifier elsewhere would have it.
  const auto verifier = VerifyingKey::from_spki(key->verifying_key().spki());
  ASSERT_TRUE(verifier) << verifier.error().message();
  EXPECT_EQ(verifier->type(), type);
  EXPECT_TRUE(equal(verifier->spki(), key->verifying_key().spki()));
  EXPECT_TRUE(verifier->verify(scheme, message, *signature));

  EXPECT_FALSE(verifier->verify(scheme, as_bytes("massage"), *signature));
  EXPECT_FALSE(verifier->verify(scheme, {}, *signature));
  EXPECT_FALSE(verifier->verify(scheme, message, {}));
  for (std::size_t i = 0; i < signature->size(); i += 5) {
    Bytes changed = *signature;
    changed[i] ^= std::byte{0x10};
    EXPECT_FALSE(verifier->verify(scheme, message, changed)) << i;
  }
  Bytes longer = *signature;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(verifier->verify(scheme, message, longer));

  for (const SignatureScheme other :
       {SignatureScheme::ecdsa_sha256, SignatureScheme::ecdsa_sha384, SignatureScheme::ecdsa_sha512,
        SignatureScheme::rsa_pkcs1_sha256, SignatureScheme::ed25519, SignatureScheme::ed25519ph})
    if (other != scheme) {
      EXPECT_FALSE(verifier->verify(other, message, *signature));
    }
}

TEST_P(SignatureKeyTest, SurvivesItsPkcs8) {
  const auto [type, scheme] = GetParam();
  const auto key = SigningKey::generate(type);
  ASSERT_TRUE(key);
  const auto pkcs8 = key->to_pkcs8();
  ASSERT_TRUE(pkcs8);
  const auto again = SigningKey::from_der(PrivateKeyForm::pkcs8, *pkcs8);
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_TRUE(equal(again->verifying_key().spki(), key->verifying_key().spki()));

  Secret longer(pkcs8->size() + 1);
  std::copy(pkcs8->expose().begin(), pkcs8->expose().end(), longer.expose().begin());
  EXPECT_FALSE(SigningKey::from_der(PrivateKeyForm::pkcs8, longer));
  EXPECT_FALSE(SigningKey::from_der(PrivateKeyForm::pkcs8,
                                    Secret::copy_of(pkcs8->expose().first(pkcs8->size() - 1))));
}

INSTANTIATE_TEST_SUITE_P(AllSchemes, SignatureKeyTest,
                         testing::Values(Case{KeyType::ecdsa_p256, SignatureScheme::ecdsa_sha256},
                                         Case{KeyType::ecdsa_p384, SignatureScheme::ecdsa_sha256},
                                         Case{KeyType::ecdsa_p384, SignatureScheme::ecdsa_sha384},
                                         Case{KeyType::ecdsa_p521, SignatureScheme::ecdsa_sha512},
                                         Case{KeyType::ed25519, SignatureScheme::ed25519},
                                         Case{KeyType::ed25519, SignatureScheme::ed25519ph}));

// RFC 8032, section 7.3: the test vector of Ed25519ph.
TEST(SignatureKey, KnowsEd25519ph) {
  // PKCS#8 of an Ed25519 seed is this prefix and the seed.
  const auto der = from_hex(
      "302e020100300506032b657004220420"
      "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42");
  const auto key = SigningKey::from_der(PrivateKeyForm::pkcs8, Secret::copy_of(*der));
  ASSERT_TRUE(key) << key.error().message();
  const auto signature = key->sign(SignatureScheme::ed25519ph, as_bytes("abc"));
  ASSERT_TRUE(signature);
  EXPECT_EQ(to_hex(*signature),
            "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41"
            "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406");
}

// Made with openssl: ecparam, genrsa, genpkey, and -pubout -outform DER.
constexpr std::string_view kP256 =
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAErVqo71talCe25vyfmwU8BK0w2faQmio3U+3ukBNRgkQl"
    "mqhbNM7KuCKCy5SWly/JergGEdyXuhzx3/i8Nzq1pQ==";
constexpr std::string_view kP256Compressed =
    "MDkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDIgADrVqo71talCe25vyfmwU8BK0w2faQmio3U+3ukBNRgkQ=";

VerifyingKey must_read(std::string_view base64) {
  auto key = VerifyingKey::from_spki(*decode_base64(base64));
  EXPECT_TRUE(key) << base64;
  return *std::move(key);
}

TEST(SignatureKey, HasOneEncodingForOnePoint) {
  EXPECT_EQ(encode_base64(must_read(kP256).spki()), kP256);
  EXPECT_EQ(encode_base64(must_read(kP256Compressed).spki()), kP256);
}

TEST(SignatureKey, RefusesKindsAndSizesThatItDoesNotUse) {
  must_read(kP256);
  const std::pair<const char*, std::string_view> refused[] = {
      {"RSA of 1024 bits",
       "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDP6hb9JEPbuEEhnIf5ddUPXD46z0I1Z4P8vtCtlz4D"
       "p1P19WdDZ0y84NpIggcscz+TgwaHwQNzWLxAqg1NkyO7f4gksY+pSkrK63z6gILWFNe2ZeTuiNjpzvzm"
       "5aA9JCMMJutOlB1qxWzaznGor0bwutC2jsMLGaWObZ3AUqw7MwIDAQAB"},
      {"secp256k1",
       "MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAERTt8nCS6WjGbZED5fkEDXMp/wgmYfploQisn6ZGmMKP1Mo1H"
       "L6Z9ImpxoUJxa9TmEl5yEB5urB+zx1aSAef/0Q=="},
      {"X25519", "MCowBQYDK2VuAyEAtWArFt81inZfmKUP7eq8e7QBRZ70rJNT0jmn0WwDQn4="},
      {"P-256 by parameters",
       "MIIBSzCCAQMGByqGSM49AgEwgfcCAQEwLAYHKoZIzj0BAQIhAP////8AAAABAAAAAAAAAAAAAAAA////"
       "////////////MFsEIP////8AAAABAAAAAAAAAAAAAAAA///////////////8BCBaxjXYqjqT57PrvVV2"
       "mIa8ZR0GsMxTsPY7zjw+J9JgSwMVAMSdNgiG5wSTamZ44ROdJreBn36QBEEEaxfR8uEsQkf4vOblY6RA"
       "8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9QIhAP////8AAAAA"
       "//////////+85vqtpxeehPO5ysL8YyVRAgEBA0IABCSS1GRAW/f2+qxD0tIkxo4W7C0Ec8XftJ8MaOSb"
       "Wjp19FKJAxkMaSIBl59sflWk2CvUZ9A/9LUs1Qd+uBH1jOs="},
  };
  for (const auto& [name, base64] : refused) {
    const auto der = decode_base64(base64);
    ASSERT_TRUE(der) << name;
    const auto key = VerifyingKey::from_spki(*der);
    ASSERT_FALSE(key) << name;
    EXPECT_EQ(key.error().kind(), ErrorKind::unsupported) << name << key.error().message();
  }
}

TEST(SignatureKey, RefusesDamagedEncodings) {
  const Bytes good = *decode_base64(kP256);
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(VerifyingKey::from_spki(ByteSpan(good).first(size))) << size;
  Bytes longer = good;
  longer.push_back(std::byte{0});
  EXPECT_EQ(VerifyingKey::from_spki(longer).error().kind(), ErrorKind::malformed);
  Bytes off_curve = good;
  off_curve.back() ^= std::byte{1};
  EXPECT_EQ(VerifyingKey::from_spki(off_curve).error().kind(), ErrorKind::malformed);
}

// SEC1: a private key that comes with the public half of another one.
TEST(SignatureKey, RefusesHalvesThatDiffer) {
  const auto key = SigningKey::generate(KeyType::ecdsa_p256);
  const auto other = SigningKey::generate(KeyType::ecdsa_p256);
  const auto sec1 = [](const Secret& scalar_of, const Bytes& point_of) {
    // PKCS#8 of OpenSSL: the scalar is 32 bytes at 36, the SPKI's point its last 65 bytes.
    Bytes der = *from_hex("30770201010420");
    const auto scalar = scalar_of.expose().subspan(36, 32);
    der.insert(der.end(), scalar.begin(), scalar.end());
    const Bytes middle = *from_hex("a00a06082a8648ce3d030107a144034200");
    der.insert(der.end(), middle.begin(), middle.end());
    der.insert(der.end(), point_of.end() - 65, point_of.end());
    return Secret::copy_of(der);
  };
  const auto scalar = key->to_pkcs8();
  const auto good =
      SigningKey::from_der(PrivateKeyForm::sec1, sec1(*scalar, key->verifying_key().spki()));
  ASSERT_TRUE(good) << good.error().message();
  EXPECT_TRUE(equal(good->verifying_key().spki(), key->verifying_key().spki()));
  const auto mixed =
      SigningKey::from_der(PrivateKeyForm::sec1, sec1(*scalar, other->verifying_key().spki()));
  ASSERT_FALSE(mixed);
  EXPECT_EQ(mixed.error().kind(), ErrorKind::malformed);
}

}  // namespace
}  // namespace intact::crypto
