#include <gtest/gtest.h>
#include <sys/stat.h>

#include <intact/base/file.h>
#include <intact/crypto/base64.h>
#include <intact/crypto/hash.h>
#include <intact/sign/trust.h>

#include "testing.h"

namespace intact::sign {
namespace {

const Digest kOther = crypto::sha256(as_bytes("another manifest"));

/// One image, signed by one key as registry.example/team/app:1.
/// As with --pub.
Demands only(const std::vector<PublicKey>& keys, const Policy& policy = {}) {
  return {.rules = rules_for(keys, policy)};
}

class TrustTest : public testing::Test {
 protected:
  const Digest manifest_ = crypto::sha256(as_bytes("manifest"));
  const PrivateKey key_ = generate_key();
  const std::string identity_ = "registry.example/team/app:1";
  Policy policy_;

  void SetUp() override { policy_ = trusting(key_.public_key()); }

  static Policy trusting(const PublicKey& key, std::optional<std::string> pattern = {},
                         std::vector<Digest> pins = {}) {
    Policy policy;
    EXPECT_TRUE(
        policy.add({.key = key, .identity_pattern = std::move(pattern), .pins = std::move(pins)}));
    return policy;
  }
  Evidence sign(ByteSpan payload) const {
    return {Bytes(payload.begin(), payload.end()), crypto::encode_base64(*key_.sign(payload))};
  }
  Evidence signature() const { return sign(encode_payload({identity_, manifest_})); }

  Result<Verdict> judge(const std::vector<Evidence>& signatures,
                        const std::string& name = "demo") const {
    return evaluate_trust(signatures, manifest_, name, policy_);
  }
  static void expect_untrusted(const Result<Verdict>& verdict, std::string_view reason) {
    ASSERT_EQ(kind_of(verdict), ErrorKind::untrusted);
    EXPECT_NE(verdict.error().message().find(reason), std::string::npos)
        << verdict.error().message();
  }
};

TEST_F(TrustTest, AGoodSignatureOfATrustedKey) {
  const auto verdict = judge({signature()});
  ASSERT_TRUE(verdict) << why(verdict);
  EXPECT_TRUE(verdict->is_signed());
  EXPECT_EQ(verdict->key_fingerprint, key_.public_key().fingerprint());
  EXPECT_EQ(verdict->identity, identity_);
}

TEST_F(TrustTest, FlippedBitInPayloadOrSignature) {
  const Evidence good = signature();
  ASSERT_TRUE(judge({good}));
  for (std::size_t i = 0; i < good.payload.size(); i += 7) {
    Evidence bad = good;
    bad.payload[i] ^= std::byte{1};
    expect_untrusted(judge({bad}), "not signed by a trusted key");
  }
  const Bytes raw = *crypto::decode_base64(good.signature_base64);
  for (std::size_t i = 0; i < raw.size(); i += 7) {
    Bytes changed = raw;
    changed[i] ^= std::byte{1};
    Evidence bad = good;
    bad.signature_base64 = crypto::encode_base64(changed);
    expect_untrusted(judge({bad}), "not signed by a trusted key");
  }
  Evidence bad = good;
  bad.signature_base64 += "\n";
  expect_untrusted(judge({bad}), "base64");
  bad.signature_base64.clear();
  expect_untrusted(judge({bad}), "not signed by a trusted key");
}

TEST_F(TrustTest, AForeignKey) {
  ASSERT_TRUE(judge({signature()}));
  policy_ = trusting(generate_key().public_key());
  expect_untrusted(judge({signature()}), "not signed by a trusted key; make sure");
  policy_ = Policy();
  expect_untrusted(judge({signature()}), "no trusted keys");
}

// A stranger's signature is what an attack looks like.
TEST_F(TrustTest, NobodyIsAdvisedToTrustAStranger) {
  for (const Policy& policy : {trusting(generate_key().public_key()), Policy()}) {
    policy_ = policy;
    for (const auto& signatures : {std::vector{signature()}, std::vector<Evidence>()}) {
      const std::string message = judge(signatures).error().message();
      for (const char* advice : {"trust add", "--pub", "--insecure", "--undo"})
        EXPECT_EQ(message.find(advice), std::string::npos) << message;
    }
  }
}

TEST_F(TrustTest, SignaturesThatCannotBeReadAreMentioned) {
  const std::string others = "1 sigstore bundle (sha256:ab)";
  const Evidence bundle = foreign_evidence(others);
  expect_untrusted(evaluate_trust({bundle}, manifest_, "", policy_),
                   "no signature that can be verified; found only: 1 sigstore bundle (sha256:ab)");
  policy_ = trusting(generate_key().public_key());
  expect_untrusted(evaluate_trust({signature(), bundle}, manifest_, "", policy_), others);
  policy_ = trusting(key_.public_key());
  EXPECT_TRUE(evaluate_trust({bundle, signature()}, manifest_, "", policy_));
}

TEST_F(TrustTest, TellsWhichSignaturesWereTriedAndWhyEachWasNotAccepted) {
  Evidence foreign = signature();
  foreign.payload[0] ^= std::byte{1};
  foreign.what = "signature A";
  Evidence other = sign(encode_payload({identity_, kOther}));
  other.what = "signature B";
  const auto refused = judge({foreign, other});
  expect_untrusted(refused, "has signed another manifest");
  expect_untrusted(refused,
                   "2 signatures were tried: signature A: not signed by a trusted key; "
                   "signature B: key " +
                       key_.public_key().fingerprint() + " has signed another manifest");
  // One good piece is enough, and what was passed over is known.
  const auto accepted = judge({foreign, signature(), other});
  ASSERT_TRUE(accepted) << why(accepted);
  ASSERT_EQ(accepted->rejected.size(), 1u);
  EXPECT_EQ(accepted->rejected[0].what, "signature A");
  EXPECT_EQ(accepted->rejected[0].reason, "not signed by a trusted key");
  // Where all failed for one reason it is told once.
  const auto same = judge({foreign, foreign});
  EXPECT_EQ(same.error().message().find("were tried"), std::string::npos) << same.error().message();
}

TEST_F(TrustTest, TellsTheLabelOfTheKey) {
  Policy policy;
  ASSERT_TRUE(policy.add(
      {.key = key_.public_key(), .identity_pattern = {}, .pins = {}, .label = "Release key"}));
  EXPECT_EQ(evaluate_trust({signature()}, manifest_, "", policy)->key_label, "Release key");
  EXPECT_EQ(evaluate_trust({signature()}, manifest_, "", policy, only({key_.public_key()}, policy))
                ->key_label,
            "Release key");
  EXPECT_EQ(judge({signature()})->key_label, "");
}

TEST_F(TrustTest, NoSignature) {
  expect_untrusted(judge({}), "not signed");
}

TEST_F(TrustTest, AnotherManifest) {
  ASSERT_TRUE(judge({sign(encode_payload({identity_, manifest_}))}));
  expect_untrusted(judge({sign(encode_payload({identity_, kOther}))}), "another manifest");
}

TEST_F(TrustTest, SomethingElseThatTheKeySigned) {
  std::string text(as_text(encode_payload({identity_, manifest_})));
  ASSERT_TRUE(judge({sign(as_bytes(text))}));
  const std::string type = "cosign container image signature";
  text.replace(text.find(type), type.size(), "atomic container signature");
  expect_untrusted(judge({sign(as_bytes(text))}), "something else");
  expect_untrusted(judge({sign(as_bytes("a release tarball"))}), "something else");
}

TEST_F(TrustTest, OneGoodSignatureAmongBadOnesIsEnough) {
  Evidence flipped = signature();
  flipped.payload[9] ^= std::byte{1};
  const Evidence other = sign(encode_payload({identity_, kOther}));
  const Evidence junk{to_bytes("junk"), "????"};
  expect_untrusted(judge({junk, flipped, other}), "another manifest");
  EXPECT_TRUE(judge({junk, flipped, other, signature()}));
  EXPECT_TRUE(judge({signature(), junk}));
  EXPECT_EQ(kind_of(judge(std::vector(kMaxSignatures + 1, junk))), ErrorKind::limit);
}

TEST_F(TrustTest, AnotherImagesName) {
  for (const char* name : {"registry.example/team/app:1", "team/app:1", "demo", ""})
    EXPECT_TRUE(judge({signature()}, name)) << name;
  for (const char* name : {"registry.example/team/db:1", "registry.example/team/app:2",
                           "other.example/team/app:1", "team/db:1"})
    expect_untrusted(judge({signature()}, name), "cannot have the name");
  // Nothing was promised by a signature without a name.
  const Evidence nameless = sign(encode_payload({"", manifest_}));
  EXPECT_TRUE(judge({nameless}, "registry.example/team/db:1"));
}

TEST_F(TrustTest, APatternBindsTheSignedIdentity) {
  policy_ = trusting(key_.public_key(), "registry.example/team/*");
  EXPECT_TRUE(judge({signature()}));
  policy_ = trusting(key_.public_key(), "registry.example/other/*");
  expect_untrusted(judge({signature()}), "trusted only for 'registry.example/other/*'");
  policy_ = trusting(key_.public_key(), "registry.example/team/*");
  expect_untrusted(judge({sign(encode_payload({"", manifest_}))}), " as no name");
  // A second rule for the same key may fit.
  policy_ = trusting(key_.public_key(), "registry.example/other/*");
  ASSERT_TRUE(policy_.add(
      {.key = key_.public_key(), .identity_pattern = "registry.example/team/*", .pins = {}}));
  EXPECT_TRUE(judge({signature()}));
}

TEST_F(TrustTest, PinsBindTheManifest) {
  policy_ = trusting(key_.public_key(), {}, {kOther, manifest_});
  EXPECT_TRUE(judge({signature()}));
  policy_ = trusting(key_.public_key(), {}, {kOther});
  expect_untrusted(judge({signature()}), "pinned");
}

TEST_F(TrustTest, TerminalControlsInAnIdentityAreNotRepeated) {
  const auto verdict =
      judge({sign(encode_payload({"\x1b[2Jevil\xc2\x9b", manifest_}))}, "registry.example/app");
  expect_untrusted(verdict, "cannot have the name");
  for (const char c : verdict.error().message()) EXPECT_TRUE(c >= ' ' && c <= '~');
}

TEST_F(TrustTest, ARevokedManifestIsAlwaysRefused) {
  policy_.revoke(kOther);
  EXPECT_TRUE(judge({signature()}));
  EXPECT_TRUE(
      evaluate_trust({signature()}, manifest_, "", policy_, only({key_.public_key()}, policy_)));
  policy_.revoke(manifest_);
  expect_untrusted(judge({signature()}), "revoked by the trust policy");
  expect_untrusted(
      evaluate_trust({signature()}, manifest_, "", policy_, only({key_.public_key()}, policy_)),
      "revoked by the trust policy");
}

TEST_F(TrustTest, NamedKeysReplaceThePolicysRules) {
  const PrivateKey foreign = generate_key();
  const auto with = [&](const PublicKey& key) {
    return evaluate_trust({signature()}, manifest_, "demo", policy_, only({key}, policy_));
  };
  EXPECT_TRUE(with(key_.public_key()));
  expect_untrusted(with(foreign.public_key()), "not signed by a trusted key");
}

TEST(GoldenTrust, JudgesWhatCosignSigned) {
  const Digest manifest = crypto::sha256(golden("image/image.manifest.json"));
  const auto layers = parse_signature_manifest(golden("image/two.manifest.json"));
  ASSERT_TRUE(layers);
  const std::vector<Evidence> stored = {
      {golden("image/first.payload.json"), (*layers)[0].signature_base64},
      {golden("image/second.payload.json"), (*layers)[1].signature_base64}};
  const std::string name = "127.0.0.1:5961/team/app:latest";
  for (const char* pub : {"cosign.pub", "ed25519.pub"}) {
    const PublicKey key = golden_public(pub);
    const auto verdict = evaluate_trust(stored, manifest, name, {}, only({key}));
    ASSERT_TRUE(verdict) << pub << why(verdict);
    EXPECT_EQ(verdict->key_fingerprint, key.fingerprint());
    EXPECT_EQ(verdict->identity, "127.0.0.1:5961/team/app");
  }
  EXPECT_FALSE(evaluate_trust(stored, manifest, name, {}, only({golden_public("rsa.pub")})));
  EXPECT_FALSE(evaluate_trust(stored, kOther, name, {}, only({golden_public("cosign.pub")})));
  EXPECT_FALSE(evaluate_trust(stored, manifest, "127.0.0.1:5961/team/db:latest", {},
                              only({golden_public("cosign.pub")})));
}

/// check_trust, with all that it reads in files.
class AnchorsTest : public TrustTest {
 protected:
  TempDir dir_ = *TempDir::create();
  Anchors anchors_{
      .key_files = {}, .insecure_unsigned = false, .policy_file = dir_.path("policy.json")};

  void SetUp() override {
    TrustTest::SetUp();
    write(policy_);
    ASSERT_TRUE(
        write_file_durably(dir_.path("key.pub"), as_bytes(key_.public_key().to_pem()), 0644));
    ASSERT_TRUE(write_file_durably(dir_.path("foreign.pub"),
                                   as_bytes(generate_key().public_key().to_pem()), 0644));
  }
  void write(const Policy& policy) {
    ASSERT_TRUE(write_file_durably(*anchors_.policy_file, as_bytes(policy.to_text()), 0644));
  }
  Result<Verdict> check(const std::vector<Evidence>& signatures) const {
    return check_trust(signatures, manifest_, "demo", anchors_);
  }
};

TEST_F(AnchorsTest, ByPolicyAndByKeyFile) {
  EXPECT_TRUE(check({signature()}));
  anchors_.key_files = {dir_.path("foreign.pub")};
  expect_untrusted(check({signature()}), "not signed by a trusted key");
  anchors_.key_files = {dir_.path("foreign.pub"), dir_.path("key.pub")};
  EXPECT_TRUE(check({signature()}));
  anchors_.key_files = {dir_.path("missing.pub")};
  EXPECT_EQ(kind_of(check({signature()})), ErrorKind::not_found);
  anchors_.key_files = {dir_.path("key.pub")};
  ASSERT_EQ(::chmod(dir_.path("key.pub").c_str(), 0666), 0);
  EXPECT_EQ(kind_of(check({signature()})), ErrorKind::untrusted);
  ASSERT_EQ(::chmod(dir_.path("key.pub").c_str(), 0644), 0);
  EXPECT_TRUE(check({signature()}));
}

TEST_F(AnchorsTest, UnsignedOnlyWhenItIsSaid) {
  expect_untrusted(check({}), "not signed");
  anchors_.insecure_unsigned = true;
  const auto verdict = check({});
  ASSERT_TRUE(verdict) << why(verdict);
  EXPECT_FALSE(verdict->is_signed());
  // Who has signed is still told where it is known.
  EXPECT_TRUE(check({signature()})->is_signed());
  policy_.revoke(manifest_);
  write(policy_);
  expect_untrusted(check({}), "revoked by the trust policy");
  expect_untrusted(check({signature()}), "revoked by the trust policy");
}

TEST_F(AnchorsTest, APolicyThatCannotBeReadStopsEverything) {
  anchors_.key_files = {dir_.path("key.pub")};
  anchors_.insecure_unsigned = true;
  ASSERT_TRUE(check({signature()}));
  ASSERT_TRUE(write_file_durably(*anchors_.policy_file, as_bytes("{"), 0644));
  EXPECT_EQ(kind_of(check({signature()})), ErrorKind::malformed);
  anchors_.policy_file = dir_.path("missing.json");
  expect_untrusted(check({signature()}), "missing.json");
}

/// Without a trusted signature: a pin or the first use may be enough.
class UnsignedTest : public TrustTest {
 protected:
  Result<Verdict> check(Anchors anchors, const std::string& name = "demo",
                        const std::vector<Evidence>& evidence = {}) const {
    EXPECT_TRUE(write_file_durably(policy_file_, as_bytes(policy_.to_text()), 0644));
    anchors.policy_file = policy_file_;
    return check_trust(evidence, manifest_, name, anchors);
  }

  TempDir dir_ = *TempDir::create();
  std::string policy_file_ = dir_.path("policy.json");
};

TEST_F(UnsignedTest, APinIsEnoughForThatManifestOnly) {
  expect_untrusted(check({}), "--pin DIGEST or --tofu");
  const auto pinned = check({.key_files = {}, .pin = manifest_});
  ASSERT_TRUE(pinned) << why(pinned);
  EXPECT_FALSE(pinned->is_signed());
  EXPECT_EQ(pinned->basis(), Basis::pin);
  expect_untrusted(check({.key_files = {}, .pin = kOther}), "not the digest that was pinned");
  // It restricts signed manifests as well, and a good signature is the better reason.
  expect_untrusted(check({.key_files = {}, .pin = kOther}, "demo", {signature()}), "pinned");
  EXPECT_EQ(check({.key_files = {}, .pin = manifest_}, "demo", {signature()})->basis(),
            Basis::signature);
}

TEST_F(UnsignedTest, TheFirstUseIsEnoughUnlessThePolicyKnowsWhoSigns) {
  EXPECT_EQ(check({.key_files = {}, .first_use = true})->basis(), Basis::first_use);
  EXPECT_EQ(check({.key_files = {}, .first_use = true}, identity_, {signature()})->basis(),
            Basis::signature);
  policy_ = trusting(key_.public_key(), "registry.example/team/*");
  expect_untrusted(check({.key_files = {}, .first_use = true}, identity_),
                   "give the image another name, or pass --pin DIGEST");
  EXPECT_TRUE(check({.key_files = {}, .pin = manifest_}, identity_));
  EXPECT_TRUE(check({.key_files = {}, .first_use = true}, "registry.example/other/app:1"));
}

// Pulled from a registry without a NAME, or under a local one: the policy is for the place.
TEST_F(UnsignedTest, RulesAndRequirementsAreForThePlaceInARegistry) {
  const std::string place = "registry.example/team/app:1";
  const std::string elsewhere = "registry.example/other/app:1";
  const auto at = [](const std::string& where, Anchors anchors) {
    anchors.place = where;
    return anchors;
  };
  const Anchors tofu{.key_files = {}, .first_use = true};
  policy_ = trusting(key_.public_key(), "registry.example/team/*");
  for (const std::string& name : {std::string(), std::string("app")}) {
    const auto refused = check(at(place, tofu), name);
    expect_untrusted(refused, "'registry.example/team/app:1' needs a signature by");
    EXPECT_NE(refused.error().message().find("; pass --pin DIGEST"), std::string::npos);
    EXPECT_TRUE(check(at(elsewhere, tofu), name));
    EXPECT_TRUE(check(tofu, name));
  }
  ASSERT_TRUE(policy_.require({.identity_pattern = "registry.example/team/*", .signers = 2}));
  const Anchors pin{.key_files = {}, .pin = manifest_};
  for (const std::string& name : {std::string(), std::string("app")}) {
    expect_untrusted(check(at(place, pin), name), "so neither a pin nor the first use is enough");
    EXPECT_TRUE(check(at(elsewhere, pin), name));
    // Also for what somebody has signed under no name.
    policy_ = trusting(key_.public_key());
    ASSERT_TRUE(policy_.require({.identity_pattern = "registry.example/team/*", .signers = 2}));
    const std::vector<Evidence> unnamed{sign(encode_payload({"", manifest_}))};
    expect_untrusted(check(at(place, {}), name, unnamed), "requires 2 signers");
    EXPECT_TRUE(check(at(elsewhere, {}), name, unnamed));
  }
}

TEST_F(UnsignedTest, ARevokedIndexRevokesWhatItLedTo) {
  const Digest index = crypto::sha256(as_bytes("index"));
  const auto through = [&](Anchors anchors) {
    anchors.through = {crypto::sha256(as_bytes("outer index")), index};
    return anchors;
  };
  const Anchors accepting[] = {{},
                               {.key_files = {}, .pin = manifest_},
                               {.key_files = {}, .first_use = true},
                               {.key_files = {}, .insecure_unsigned = true}};
  for (const bool is_signed : {true, false}) {
    const auto evidence = is_signed ? std::vector<Evidence>{signature()} : std::vector<Evidence>();
    for (const Anchors& anchors : accepting) {
      if (!is_signed && &anchors == &accepting[0]) continue;
      EXPECT_TRUE(check(through(anchors), "demo", evidence));
      policy_.revoke(index);
      expect_untrusted(check(through(anchors), "demo", evidence),
                       "it comes from the index " + index.to_string() + ", which is revoked");
      EXPECT_TRUE(check(anchors, "demo", evidence));
      ASSERT_TRUE(policy_.unrevoke(index));
    }
  }
}

// What cannot be done is not advised.
TEST_F(UnsignedTest, AdviceFitsWhatWasAskedFor) {
  const auto message = [&](const Anchors& anchors) {
    const auto refused = check(anchors);
    EXPECT_EQ(kind_of(refused), ErrorKind::untrusted);
    return refused ? std::string() : refused.error().message();
  };
  const std::string hint = "or accept this one with `intact pull` and --pin DIGEST or --tofu";
  EXPECT_NE(message({}).find(hint), std::string::npos);
  Anchors named{.key_files = {}, .first_use = true};
  named.identity = identity_;
  EXPECT_NE(message(named).find("not signed; get a signed image"), std::string::npos);
  EXPECT_EQ(message(named).find("--tofu"), std::string::npos) << message(named);
  ASSERT_TRUE(policy_.require({.signers = 2}));
  for (const Anchors& anchors : {Anchors{}, Anchors{.key_files = {}, .pin = manifest_},
                                 Anchors{.key_files = {}, .first_use = true}})
    EXPECT_EQ(message(anchors).find(hint), std::string::npos) << message(anchors);
}

TEST_F(UnsignedTest, NeitherIsWhereASignatureIsAskedForOrTheManifestRevoked) {
  const std::string pub = dir_.path("other.pub");
  ASSERT_TRUE(write_file_durably(pub, as_bytes(generate_key().public_key().to_pem()), 0644));
  for (Anchors anchors :
       {Anchors{.key_files = {}, .pin = manifest_}, Anchors{.key_files = {}, .first_use = true}}) {
    ASSERT_TRUE(check(anchors));
    Anchors with_key = anchors;
    with_key.key_files = {pub};
    expect_untrusted(check(with_key), "not signed");
    Anchors with_identity = anchors;
    with_identity.identity = identity_;
    expect_untrusted(check(with_identity), "not signed");
    policy_.revoke(manifest_);
    expect_untrusted(check(anchors), "revoked");
    anchors.insecure_unsigned = true;
    expect_untrusted(check(anchors), "revoked");
    ASSERT_TRUE(policy_.unrevoke(manifest_));
  }
  EXPECT_EQ(check({.key_files = {}, .insecure_unsigned = true})->basis(), Basis::none);
}

}  // namespace
}  // namespace intact::sign
