#include <string>

#include <gtest/gtest.h>

#include <intact/crypto/pem.h>
#include <intact/crypto/pkcs7.h>

namespace intact::crypto {
namespace {

// openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=test
constexpr std::string_view kCertificate = R"(-----BEGIN CERTIFICATE-----
MIIBdTCCARugAwIBAgIUCdNL8fkN8n6mLt+UxsmQg9kdKdUwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjIwODM4NDJaGA8yMTI2MTAyOTA4Mzg0
MlowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABOyf
2u/JhGX6+vokgKH9JMvhKRj7yHpFi9CWqg1d1FP9uOousaOGGAhfqOCGfWeva9xq
udVvKTiL0WzgfGYZv2KjUzBRMB0GA1UdDgQWBBROyKVxkLCVy4YyVOd3GESqUxIT
TjAfBgNVHSMEGDAWgBROyKVxkLCVy4YyVOd3GESqUxITTjAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0gAMEUCIQCahIEcdUPcd9udSg2GF1hkF63NM8gpXFje
XenHUp9iTAIgbQ0LjDZO2WDK3f6a4Bm6EQtXmBSRQ6Na2psMH7XRoJw=
-----END CERTIFICATE-----
)";
constexpr std::string_view kKey = R"(-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgYzFc8Iof1DAPgAMR
s228IPzmYugRy/oSpgHa0hcrceahRANCAATsn9rvyYRl+vr6JICh/STL4SkY+8h6
RYvQlqoNXdRT/bjqLrGjhhgIX6jghn1nr2vcarnVbyk4i9Fs4HxmGb9i
-----END PRIVATE KEY-----
)";

SigningKey signing_key() {
  return *SigningKey::from_der(PrivateKeyForm::pkcs8, (*parse_pem(kKey))[0].body);
}
std::vector<Certificate> certificates() {
  return *Certificate::parse_all(as_bytes(kCertificate));
}

TEST(Certificate, IsReadFromPemAndDer) {
  const auto from_pem = certificates();
  ASSERT_EQ(from_pem.size(), 1u);
  EXPECT_EQ(from_pem[0].key().spki(), signing_key().verifying_key().spki());
  const auto blocks = *parse_pem(kCertificate);
  const auto from_der = Certificate::parse_all(blocks[0].body.expose());
  ASSERT_TRUE(from_der);
  EXPECT_EQ((*from_der)[0].key().spki(), from_pem[0].key().spki());
  EXPECT_EQ(Certificate::parse_all(as_bytes(std::string(kCertificate) + std::string(kCertificate)))
                ->size(),
            2u);
}

TEST(Certificate, IsRefusedUnlessItIsOne) {
  for (const std::string_view text : {std::string_view(), std::string_view("text"), kKey,
                                      std::string_view("\x30\x03\x02\x01\x01", 5)})
    EXPECT_EQ(Certificate::parse_all(as_bytes(text)).error().kind(), ErrorKind::malformed) << text;
  const auto blocks = *parse_pem(kCertificate);
  Bytes longer(blocks[0].body.expose().begin(), blocks[0].body.expose().end());
  longer.push_back({});
  EXPECT_EQ(Certificate::parse_all(longer).error().kind(), ErrorKind::malformed);
}

TEST(Pkcs7, IsVerifiedByItsCertificateAlone) {
  const auto signature = sign_pkcs7(as_bytes("content"), signing_key(), certificates()[0]);
  ASSERT_TRUE(signature) << signature.error().message();
  EXPECT_TRUE(verify_pkcs7(*signature, as_bytes("content"), certificates()));
  EXPECT_EQ(verify_pkcs7(*signature, as_bytes("contents"), certificates()).error().kind(),
            ErrorKind::untrusted);
  EXPECT_EQ(verify_pkcs7(*signature, as_bytes("content"), {}).error().kind(), ErrorKind::untrusted);
}

TEST(Pkcs7, NeedsTheCertificateOfTheKey) {
  EXPECT_EQ(
      sign_pkcs7({}, *SigningKey::generate(KeyType::ecdsa_p256), certificates()[0]).error().kind(),
      ErrorKind::invalid_argument);
}

/// Much of the envelope is not signed, but the content is: whatever verifies is a signature of it.
TEST(Pkcs7, IsRefusedWhenItIsDamaged) {
  const Bytes good = *sign_pkcs7(as_bytes("content"), signing_key(), certificates()[0]);
  for (std::size_t i = 0; i < good.size(); ++i) {
    Bytes bad = good;
    bad[i] ^= std::byte{1};
    EXPECT_FALSE(verify_pkcs7(bad, as_bytes("other content"), certificates()));
    // The value of the signature stands at the end.
    if (i + 60 > good.size()) {
      EXPECT_EQ(verify_pkcs7(bad, as_bytes("content"), certificates()).error().kind(),
                ErrorKind::untrusted);
    }
    const ByteSpan cut = ByteSpan(good).first(i);
    EXPECT_EQ(verify_pkcs7(cut, as_bytes("content"), certificates()).error().kind(),
              ErrorKind::malformed);
  }
  Bytes longer = good;
  longer.push_back({});
  EXPECT_EQ(verify_pkcs7(longer, as_bytes("content"), certificates()).error().kind(),
            ErrorKind::malformed);
  EXPECT_EQ(verify_pkcs7(Bytes(kMaxPkcs7Size + 1), as_bytes("content"), {}).error().kind(),
            ErrorKind::limit);
}

}  // namespace
}  // namespace intact::crypto
