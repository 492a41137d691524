#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include <intact/crypto/base64.h>
#include <intact/crypto/kdf.h>
#include <intact/crypto/pem.h>
#include <intact/crypto/random.h>
#include <intact/crypto/secretbox.h>
#include <intact/json/json.h>
#include <intact/sign/key.h>

#include "testing.h"

namespace intact::sign {
namespace {

// --- what cosign wrote -------------------------------------------------------------------------

TEST(GoldenKeys, OpenWithTheirPasswordAndFitTheirPublicHalf) {
  for (const std::string name : {"cosign", "ed25519"}) {
    const auto key = PrivateKey::load(golden_path(name + ".key"), password(kGoldenPassword));
    ASSERT_TRUE(key) << name << why(key);
    EXPECT_EQ(key->public_key().to_pem(), golden_text(name + ".pub"));
    EXPECT_EQ(kind_of(PrivateKey::load(golden_path(name + ".key"), password("golden-passwor"))),
              ErrorKind::bad_secret);
  }
}

TEST(GoldenKeys, PlainPemOfEveryFormOpens) {
  for (const auto& [file, pub] :
       {std::pair{"rsa.pem", "rsa.pub"}, std::pair{"p256.sec1.pem", "p256.pub"},
        std::pair{"p384.sec1.pem", "p384.pub"}, std::pair{"p521.pem", "p521.pub"},
        std::pair{"ed25519.pem", "ed25519.pub"}}) {
    const auto key = PrivateKey::load(golden_path(file), no_password());
    ASSERT_TRUE(key) << file << why(key);
    EXPECT_EQ(key->public_key().to_pem(), golden_text(pub));
    const ByteSpan message = as_bytes("message");
    const auto signature = key->sign(message);
    ASSERT_TRUE(signature) << why(signature);
    EXPECT_TRUE(golden_public(pub).verify(message, *signature)) << file;
  }
}

TEST(GoldenKeys, OpensslsEncryptedFormsOpen) {
  for (const std::string name : {"rsa", "p256", "p521", "ed25519"}) {
    const std::string file = golden_path(name + ".encrypted.pem");
    const auto key = PrivateKey::load(file, password(kGoldenPassword));
    ASSERT_TRUE(key) << name << why(key);
    EXPECT_EQ(key->public_key().to_pem(), golden_text(name + ".pub"));
    for (const char* wrong : {"golden-passwor", "", "golden-password\n"})
      EXPECT_EQ(kind_of(PrivateKey::load(file, password(wrong))), ErrorKind::bad_secret) << name;
  }
  const auto empty = PrivateKey::load(golden_path("ed25519.empty.pem"), password(""));
  ASSERT_TRUE(empty) << why(empty);
  EXPECT_EQ(empty->public_key().to_pem(), golden_text("ed25519.pub"));
  EXPECT_EQ(kind_of(PrivateKey::load(golden_path("ed25519.empty.pem"), password("x"))),
            ErrorKind::bad_secret);
  // An outdated form is refused before anybody is asked for the password.
  EXPECT_EQ(kind_of(PrivateKey::load(golden_path("p256.old.pem"), no_password())),
            ErrorKind::unsupported);
}

// Every byte of an encrypted key: never another key, never a crash, and no file decides how long
// opening it takes.
TEST(GoldenKeys, DamagedEncryptedFormsAreRefused) {
  for (const std::string name : {"p256", "p521"}) {
    const auto blocks = crypto::parse_pem(golden_text(name + ".encrypted.pem"));
    ASSERT_TRUE(blocks);
    const ByteSpan der = blocks->front().body.expose();
    // scrypt is slow, so fewer bytes of that one.
    for (std::size_t at = 0; at < der.size(); at += name == "p256" ? 11 : 2) {
      Bytes changed(der.begin(), der.end());
      changed[at] ^= std::byte{0x41};
      const auto key = PrivateKey::from_pem(crypto::encode_pem("ENCRYPTED PRIVATE KEY", changed),
                                            password(kGoldenPassword));
      if (key) {
        EXPECT_EQ(key->public_key().to_pem(), golden_text(name + ".pub")) << at;
      }
    }
    EXPECT_EQ(
        kind_of(PrivateKey::from_pem(
            crypto::encode_pem("ENCRYPTED PRIVATE KEY", der.first(der.size() - 1)), no_password())),
        ErrorKind::malformed);
    Bytes longer(der.begin(), der.end());
    longer.push_back(std::byte{0});
    EXPECT_EQ(kind_of(PrivateKey::from_pem(crypto::encode_pem("ENCRYPTED PRIVATE KEY", longer),
                                           no_password())),
              ErrorKind::malformed);
  }
}

// The iterations of PBKDF2 and the N of scrypt, in DER: refused before the password is asked for.
TEST(GoldenKeys, CostlyEncryptedFormsAreRefused) {
  const auto with = [](const char* file, const std::string& from, const std::string& to) {
    const auto blocks = crypto::parse_pem(golden_text(file));
    std::string der(blocks->front().body.expose_text());
    const std::size_t at = der.find(from);
    EXPECT_NE(at, std::string::npos);
    der.replace(at, from.size(), to);
    return crypto::encode_pem("ENCRYPTED PRIVATE KEY", as_bytes(der));
  };
  const std::string cheap("\x02\x02\x08\x00", 4);  // 2048
  ASSERT_TRUE(
      PrivateKey::from_pem(with("p521.encrypted.pem", cheap, cheap), password(kGoldenPassword)));
  EXPECT_EQ(
      kind_of(PrivateKey::from_pem(
          with("p521.encrypted.pem", cheap, std::string("\x02\x02\x80\x00", 4)), no_password())),
      ErrorKind::unsupported);                 // negative
  const std::string n("\x02\x02\x40\x00", 4);  // 16384
  ASSERT_TRUE(PrivateKey::from_pem(with("p256.encrypted.pem", n, n), password(kGoldenPassword)));
  EXPECT_EQ(kind_of(PrivateKey::from_pem(
                with("p256.encrypted.pem", n, std::string("\x02\x02\x7f\xff", 4)), no_password())),
            ErrorKind::unsupported);
}

TEST(GoldenKeys, PublicKeysOfPkcs1AreTheSameKeys) {
  EXPECT_EQ(golden_public("rsa.pkcs1.pub").fingerprint(), golden_public("rsa.pub").fingerprint());
  const auto blocks = crypto::parse_pem(golden_text("rsa.pkcs1.pub"));
  const ByteSpan der = blocks->front().body.expose();
  const auto read = [](ByteSpan bytes) {
    return PublicKey::from_pem(crypto::encode_pem("RSA PUBLIC KEY", bytes));
  };
  ASSERT_TRUE(read(der));
  EXPECT_EQ(kind_of(read(der.first(der.size() - 1))), ErrorKind::malformed);
  Bytes longer(der.begin(), der.end());
  longer.push_back(std::byte{0});
  EXPECT_EQ(kind_of(read(longer)), ErrorKind::malformed);
  // The label says the form.
  EXPECT_EQ(kind_of(PublicKey::from_pem(crypto::encode_pem("PUBLIC KEY", der))),
            ErrorKind::malformed);
}

TEST(GoldenSignatures, AreGoodAndEveryDamageIsSeen) {
  const Bytes blob = golden("blob");
  for (const std::string name : {"cosign", "ed25519", "rsa", "p256", "p384", "p521"}) {
    const PublicKey key = golden_public(name + ".pub");
    const auto signature = crypto::decode_base64(golden_text("blob." + name + ".sig"));
    ASSERT_TRUE(signature) << name;
    const auto verified = key.verify(blob, *signature);
    EXPECT_TRUE(verified) << name << why(verified);

    Bytes other = blob;
    other[3] ^= std::byte{1};
    EXPECT_EQ(kind_of(key.verify(other, *signature)), ErrorKind::untrusted) << name;
    for (const std::size_t at : {std::size_t{0}, signature->size() / 2, signature->size() - 1}) {
      Bytes changed = *signature;
      changed[at] ^= std::byte{1};
      EXPECT_EQ(kind_of(key.verify(blob, changed)), ErrorKind::untrusted) << name << " " << at;
    }
    EXPECT_EQ(kind_of(generate_key().public_key().verify(blob, *signature)), ErrorKind::untrusted);
  }
}

TEST(GoldenKeys, HaveTheFingerprintThatOpensslComputes) {
  // openssl pkey -pubin -in cosign.pub -outform DER | sha256sum
  EXPECT_EQ(golden_public("cosign.pub").fingerprint(),
            "sha256:8510ef5fb1ec170e94e8d0c237b86c36cff2334775ed4377dc71df0697613fd8");
}

// --- our own ------------------------------------------------------------------------------------

TEST(PrivateKey, SurvivesItsEncryptedForm) {
  const PrivateKey key = generate_key();
  EXPECT_EQ(key.public_key().type(), crypto::KeyType::ecdsa_p256);
  for (const std::string text : {"secret", ""}) {
    const auto pem = key.to_encrypted_pem(crypto::Secret::copy_of(as_bytes(text)));
    ASSERT_TRUE(pem) << why(pem);
    EXPECT_TRUE(pem->starts_with("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n"));
    const auto again = PrivateKey::from_pem(*pem, password(text));
    ASSERT_TRUE(again) << why(again);
    EXPECT_EQ(again->public_key().to_pem(), key.public_key().to_pem());
  }
}

TEST(PrivateKey, HandsOnWhyThereIsNoPassword) {
  const auto key = PrivateKey::load(golden_path("cosign.key"), []() -> Result<crypto::Secret> {
    return Error(ErrorKind::invalid_argument, "nobody to ask");
  });
  EXPECT_EQ(kind_of(key), ErrorKind::invalid_argument);
}

TEST(PrivateKey, AsksBeforeItOpensBesideItsUser) {
  bool asked = false;
  const auto ask = [&](std::string_view text) {
    return [&asked, text] {
      asked = true;
      return password(text)();
    };
  };
  auto good = PrivateKey::begin_loading(golden_path("cosign.key"), ask(kGoldenPassword));
  EXPECT_TRUE(std::exchange(asked, false));
  ASSERT_TRUE(good) << why(good);
  const auto key = good->get();
  ASSERT_TRUE(key) << why(key);
  EXPECT_EQ(key->public_key().to_pem(), golden_text("cosign.pub"));

  auto wrong = PrivateKey::begin_loading(golden_path("cosign.key"), ask("golden-passwor"));
  EXPECT_TRUE(std::exchange(asked, false));
  ASSERT_TRUE(wrong) << why(wrong);
  EXPECT_EQ(kind_of(wrong->get()), ErrorKind::bad_secret);

  // What is not such a key is reported at once, without a question.
  EXPECT_EQ(kind_of(PrivateKey::begin_loading(golden_path("cosign.pub"), ask(kGoldenPassword))),
            ErrorKind::invalid_argument);
  EXPECT_FALSE(asked);
}

TEST(PublicKey, AcceptsBothKindsOfEd25519AndBothHashesOfACurve) {
  using crypto::SignatureScheme;
  const ByteSpan message = as_bytes("message");
  for (const auto& [type, scheme] :
       {std::pair{crypto::KeyType::ed25519, SignatureScheme::ed25519},
        std::pair{crypto::KeyType::ed25519, SignatureScheme::ed25519ph},
        std::pair{crypto::KeyType::ecdsa_p384, SignatureScheme::ecdsa_sha256},
        std::pair{crypto::KeyType::ecdsa_p384, SignatureScheme::ecdsa_sha384},
        std::pair{crypto::KeyType::ecdsa_p521, SignatureScheme::ecdsa_sha512}}) {
    const auto signer = crypto::SigningKey::generate(type);
    const auto key =
        PublicKey::from_pem(crypto::encode_pem("PUBLIC KEY", signer->verifying_key().spki()));
    ASSERT_TRUE(key) << why(key);
    const auto signature = signer->sign(scheme, message);
    EXPECT_TRUE(key->verify(message, *signature));
    EXPECT_EQ(kind_of(key->verify(as_bytes("other"), *signature)), ErrorKind::untrusted);
  }
}

// A P-256 key has one hash only: the others' signatures are not its.
TEST(PublicKey, RefusesAnotherHashThanItsOwn) {
  const auto signer = crypto::SigningKey::generate(crypto::KeyType::ecdsa_p256);
  const auto key =
      PublicKey::from_pem(crypto::encode_pem("PUBLIC KEY", signer->verifying_key().spki()));
  const ByteSpan message = as_bytes("message");
  EXPECT_TRUE(key->verify(message, *signer->sign(crypto::SignatureScheme::ecdsa_sha256, message)));
  EXPECT_FALSE(key->verify(message, *signer->sign(crypto::SignatureScheme::ecdsa_sha512, message)));
}

TEST(PublicKey, SaysWhatItWasGivenInstead) {
  const std::string good = golden_text("cosign.pub");
  ASSERT_TRUE(PublicKey::from_pem(good));
  EXPECT_TRUE(PublicKey::from_pem("# a comment\n" + good));
  EXPECT_EQ(kind_of(PublicKey::from_pem(golden_text("cosign.key"))), ErrorKind::invalid_argument);
  EXPECT_EQ(kind_of(PublicKey::from_pem(golden_text("rsa.pem"))), ErrorKind::invalid_argument);
  EXPECT_EQ(kind_of(PublicKey::from_pem(good + good)), ErrorKind::malformed);
  EXPECT_EQ(kind_of(PublicKey::from_pem("")), ErrorKind::malformed);
  EXPECT_EQ(kind_of(PublicKey::from_pem(crypto::encode_pem("CERTIFICATE", Bytes(10)))),
            ErrorKind::unsupported);
  for (const std::size_t size : {good.size() - 10, good.size() / 2, std::size_t{30}})
    EXPECT_EQ(kind_of(PublicKey::from_pem(good.substr(0, size))), ErrorKind::malformed) << size;
  EXPECT_EQ(kind_of(PublicKey::load("/nonexistent/key.pub")), ErrorKind::not_found);
}

TEST(PrivateKey, SaysWhatItWasGivenInstead) {
  EXPECT_EQ(kind_of(PrivateKey::from_pem(golden_text("cosign.pub"), no_password())),
            ErrorKind::invalid_argument);
  EXPECT_EQ(kind_of(PrivateKey::from_pem(crypto::encode_pem("ENCRYPTED PRIVATE KEY", Bytes(10)),
                                         no_password())),
            ErrorKind::malformed);
  const std::string good = golden_text("p521.pem");
  ASSERT_TRUE(PrivateKey::from_pem(good, no_password()));
  EXPECT_EQ(kind_of(PrivateKey::from_pem(good + good, no_password())), ErrorKind::malformed);
  EXPECT_EQ(kind_of(PrivateKey::from_pem(good.substr(0, good.size() - 40), no_password())),
            ErrorKind::malformed);
  const auto relabelled = crypto::parse_pem(good);
  EXPECT_EQ(
      kind_of(PrivateKey::from_pem(
          crypto::encode_pem("RSA PRIVATE KEY", relabelled->front().body.expose()), no_password())),
      ErrorKind::malformed);
}

// --- cosign's encrypted form, member by member -----------------------------------------------

/// The golden key's plain form, encrypted anew with other costs and under another label.
class EncryptedKeyTest : public testing::Test {
 protected:
  static Json document(std::uint64_t n) {
    const Bytes salt = crypto::random_bytes(32);
    const Bytes nonce = crypto::random_bytes(24);
    const auto key = crypto::scrypt(crypto::Secret::copy_of(as_bytes("secret")), salt,
                                    {.n = n, .r = 8, .p = 1}, 32);
    const auto plain = crypto::parse_pem(golden_text("p521.pem"));
    const Bytes box = crypto::seal_secretbox(*key, nonce, plain->front().body);
    return {{"kdf",
             {{"name", "scrypt"},
              {"params", {{"N", n}, {"r", 8}, {"p", 1}}},
              {"salt", crypto::encode_base64(salt)}}},
            {"cipher", {{"name", "nacl/secretbox"}, {"nonce", crypto::encode_base64(nonce)}}},
            {"ciphertext", crypto::encode_base64(box)}};
  }
  static Result<PrivateKey> open(const Json& json,
                                 std::string_view label = "ENCRYPTED SIGSTORE PRIVATE KEY",
                                 const PasswordSource& source = password("secret")) {
    return PrivateKey::from_pem(crypto::encode_pem(label, as_bytes(to_text(json))), source);
  }
};

TEST_F(EncryptedKeyTest, OpensWithAllOfCosignsCostsAndLabels) {
  for (const std::uint64_t n : {32768, 65536, 131072}) {
    const auto key = open(document(n));
    ASSERT_TRUE(key) << n << why(key);
    EXPECT_EQ(key->public_key().to_pem(), golden_text("p521.pub"));
  }
  EXPECT_TRUE(open(document(32768), "ENCRYPTED COSIGN PRIVATE KEY"));
}

TEST_F(EncryptedKeyTest, RefusesOtherCostsBeforeItSpendsThem) {
  const Json good = document(32768);
  ASSERT_TRUE(open(good));
  for (const char* params : {R"({"N":16384,"r":8,"p":1})", R"({"N":262144,"r":8,"p":1})",
                             R"({"N":1073741824,"r":8,"p":1})", R"({"N":32768,"r":9,"p":1})",
                             R"({"N":32768,"r":8,"p":2})", R"({"N":32768,"r":8,"p":1000000})",
                             R"({"N":0,"r":0,"p":0})"}) {
    Json bad = good;
    bad["kdf"]["params"] = *parse_json(params);
    EXPECT_EQ(kind_of(open(bad, "ENCRYPTED SIGSTORE PRIVATE KEY", no_password())),
              ErrorKind::unsupported)
        << params;
  }
}

TEST_F(EncryptedKeyTest, RefusesDamagedMembers) {
  const Json good = document(32768);
  ASSERT_TRUE(open(good));
  const auto damaged = [&](const char* pointer, const Json& value) {
    Json bad = good;
    bad[Json::json_pointer(pointer)] = value;
    return kind_of(open(bad, "ENCRYPTED SIGSTORE PRIVATE KEY", no_password()));
  };
  EXPECT_EQ(damaged("/kdf/name", "argon2id"), ErrorKind::unsupported);
  EXPECT_EQ(damaged("/cipher/name", "aes"), ErrorKind::unsupported);
  EXPECT_EQ(damaged("/kdf/salt", "AAAA"), ErrorKind::malformed);
  EXPECT_EQ(damaged("/kdf/salt", "not base64"), ErrorKind::malformed);
  EXPECT_EQ(damaged("/cipher/nonce", "AAAA"), ErrorKind::malformed);
  EXPECT_EQ(damaged("/ciphertext", "AAAA"), ErrorKind::malformed);
  EXPECT_EQ(damaged("/ciphertext", 7), ErrorKind::malformed);
  EXPECT_EQ(damaged("/kdf/params/N", -1), ErrorKind::malformed);
  EXPECT_EQ(damaged("/kdf", nullptr), ErrorKind::malformed);
}

// The format cannot tell a wrong password from damage, and says so.
TEST_F(EncryptedKeyTest, ChangedCiphertextIsABadSecret) {
  Json bad = document(32768);
  ASSERT_TRUE(open(bad));
  auto box = *crypto::decode_base64(bad["ciphertext"].get<std::string>());
  box[20] ^= std::byte{1};
  bad["ciphertext"] = crypto::encode_base64(box);
  const auto key = open(bad);
  EXPECT_EQ(kind_of(key), ErrorKind::bad_secret);
  EXPECT_NE(key.error().message().find("or the file is damaged"), std::string::npos);
}

}  // namespace
}  // namespace intact::sign
