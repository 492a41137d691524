#include <intact/crypto/base64.h>
#include <intact/crypto/hash.h>
#include <intact/sign/bundle.h>
#include <intact/sign/signed_time.h>
#include <intact/sign/trust.h>

#include "testing.h"

namespace intact::sign {
namespace {

const Digest kManifest = crypto::sha256(as_bytes("manifest"));
const std::string kIdentity = "registry.example/prod/app:1";
const std::int64_t kNow = *parse_time("2026-06-01T00:00:00Z");

Evidence signature(const PrivateKey& key, std::optional<std::int64_t> time = kNow,
                   std::optional<std::uint64_t> serial = {},
                   const std::string& identity = kIdentity) {
  return {.payload = *make_bundle({identity, kManifest, time, serial}, key),
          .kind = std::string(kSigstoreBundle)};
}

/// As `cosign attest` makes it, without a name.
Evidence attestation(const PrivateKey& key, const std::string& type,
                     const std::string& predicate = "{}", const std::string& annotations = "{}") {
  const Bytes statement =
      to_bytes(R"({"_type":"https://in-toto.io/Statement/v0.1","predicateType":")" + type +
               R"(","subject":[{"digest":{"sha256":")" + kManifest.hex() + R"("},"annotations":)" +
               annotations + R"(}],"predicate":)" + predicate + "}");
  const Bytes signed_by_key = *key.sign(signed_bytes(kStatementType, statement));
  return {
      .payload = to_bytes(R"({"payloadType":")" + std::string(kStatementType) + R"(","payload":")" +
                          crypto::encode_base64(statement) + R"(","signatures":[{"sig":")" +
                          crypto::encode_base64(signed_by_key) + R"("}]})"),
      .kind = std::string(kDsse)};
}

class RequirementTest : public testing::Test {
 protected:
  RequirementTest() {
    for (const PrivateKey* key : {&one_, &two_})
      EXPECT_TRUE(policy_.add(
          {.key = key->public_key(), .identity_pattern = "registry.example/prod/*", .pins = {}}));
  }

  Result<Verdict> judge(const std::vector<Evidence>& evidence, Demands demands = {}) {
    demands.now = kNow;
    return evaluate_trust(evidence, kManifest, "", policy_, demands);
  }

  static void expect_refused(const Result<Verdict>& verdict, const std::string& text) {
    ASSERT_FALSE(verdict) << text;
    EXPECT_EQ(verdict.error().kind(), ErrorKind::untrusted);
    EXPECT_NE(verdict.error().message().find(text), std::string::npos) << verdict.error().message();
  }

  PrivateKey one_ = generate_key();
  PrivateKey two_ = generate_key();
  PrivateKey stranger_ = generate_key();
  Policy policy_;
};

TEST_F(RequirementTest, CountsDifferentTrustedSigners) {
  ASSERT_TRUE(policy_.require({.identity_pattern = "registry.example/prod/*", .signers = 2}));
  expect_refused(judge({signature(one_), signature(one_)}), "requires 2 signers");
  expect_refused(judge({signature(one_), signature(stranger_)}), "only 1 signed");
  const auto accepted = judge({signature(one_), signature(two_)});
  ASSERT_TRUE(accepted) << why(accepted);
  EXPECT_EQ(accepted->signers.size(), 2u);
  // One of another image is not one more of this.
  ASSERT_TRUE(policy_.add({.key = stranger_.public_key(), .identity_pattern = {}, .pins = {}}));
  expect_refused(judge({signature(one_), signature(stranger_, kNow, {}, "registry.example/x:1")}),
                 "only 1 signed");
  ASSERT_TRUE(policy_.drop_requirement("registry.example/prod/*"));
  EXPECT_TRUE(judge({signature(one_)}));
}

TEST_F(RequirementTest, AttestationsAreByTrustedSigners) {
  const std::string type = "https://slsa.dev/provenance/v1";
  const Demands demands{.attestations = {type}};
  EXPECT_TRUE(judge({signature(one_), attestation(two_, type)}, demands));
  expect_refused(judge({signature(one_)}, demands), "no attestation '" + type + "'");
  expect_refused(judge({signature(one_), attestation(stranger_, type)}, demands),
                 "no attestation '" + type + "'");
  expect_refused(judge({signature(one_), attestation(one_, type + "0")}, demands),
                 "no attestation '" + type + "'");
  expect_refused(judge({attestation(one_, type)}, demands), "an attestation, '" + type + "'");
  EXPECT_EQ(attestation_type("slsaprovenance1"), type);
}

TEST_F(RequirementTest, AgeSerialAndTimeAreThoseOfTheSignature) {
  const Demands day{.max_age = 86400};
  EXPECT_TRUE(judge({signature(one_, kNow - 86400)}, day));
  expect_refused(judge({signature(one_, kNow - 86401)}, day), "longer ago than allowed");
  expect_refused(judge({signature(one_, kNow + 90000)}, day), "in the future");
  expect_refused(judge({signature(one_, std::nullopt)}, day), "does not say when");
  EXPECT_TRUE(judge({signature(one_, kNow - 86401), signature(two_)}, day));

  ASSERT_TRUE(policy_.require({.min_serial = 5}));
  expect_refused(judge({signature(one_)}), "serial number of 5");
  expect_refused(judge({signature(one_, kNow, 4)}), "serial number of 5");
  EXPECT_EQ(judge({signature(one_, kNow, 5)})->serial, 5u);
  ASSERT_TRUE(policy_.require({.not_before = kNow}));
  expect_refused(judge({signature(one_, kNow - 1)}), "made after 2026-06-01T00:00:00Z");
  EXPECT_TRUE(judge({signature(one_)}));
}

// An old scan is worth no more than an old signature.
TEST_F(RequirementTest, AgeAndTimeAreThoseOfAttestationsToo) {
  const std::string type = "https://cosign.sigstore.dev/attestation/vuln/v1";
  const std::string fresh = R"({"metadata":{"scanFinishedOn":"2026-05-31T12:00:00Z"}})";
  const std::string old = R"({"metadata":{"scanFinishedOn":"2026-05-30T12:00:00Z"}})";
  const auto with = [&](const std::string& predicate, const std::string& annotations = "{}") {
    return std::vector{signature(one_), attestation(two_, type, predicate, annotations)};
  };
  const Demands any{.attestations = {type}};
  const Demands day{.attestations = {type}, .max_age = 86400};
  EXPECT_TRUE(judge(with(old), any));
  EXPECT_TRUE(judge(with("{}"), any));
  const auto accepted = judge(with(fresh), day);
  EXPECT_TRUE(accepted) << why(accepted);
  expect_refused(judge(with(old), day), "longer ago than allowed (2026-05-30T12:00:00Z)");
  expect_refused(judge(with("{}"), day), "the attestation does not say when it was made");
  // What the signer says of the image in the subject counts before the predicate.
  EXPECT_TRUE(judge(with(old, R"({"dev.intact.time":"2026-06-01T00:00:00Z"})"), day));
  // Of several times the earliest counts.
  expect_refused(judge(with(R"({"Timestamp":"2026-06-01T00:00:00Z",)" + old.substr(1)), day),
                 "longer ago than allowed");

  // The requirement is for the name that the signature has; the attestation has none.
  ASSERT_TRUE(policy_.require({.identity_pattern = "registry.example/prod/*",
                               .attestations = {type},
                               .not_before = kNow - 86400}));
  EXPECT_TRUE(judge(with(fresh)));
  expect_refused(judge(with(old)), "requires an attestation made after 2026-05-31T00:00:00Z");

  // The serial number is that of the image: the signature tells it, an attestation may.
  ASSERT_TRUE(policy_.require(
      {.identity_pattern = "registry.example/prod/*", .attestations = {type}, .min_serial = 5}));
  const auto plus = [&](const std::string& annotations) {
    return std::vector{signature(one_, kNow, 5), attestation(two_, type, fresh, annotations)};
  };
  EXPECT_TRUE(judge(plus("{}")));
  EXPECT_TRUE(judge(plus(R"({"dev.intact.serial":"5"})")));
  expect_refused(judge(plus(R"({"dev.intact.serial":"4"})")), "serial number of 5 or more");
}

TEST_F(RequirementTest, SurvivesTheFile) {
  const Requirement requirement{.identity_pattern = "registry.example/prod/**",
                                .signers = 2,
                                .attestations = {"https://slsa.dev/provenance/v1"},
                                .max_age = 90,
                                .min_serial = 3,
                                .not_before = kNow};
  ASSERT_TRUE(policy_.require(requirement));
  const auto again = Policy::parse(as_bytes(policy_.to_text()));
  ASSERT_TRUE(again) << why(again);
  EXPECT_EQ(again->requirements(), std::vector{requirement});
  for (const char* bad : {R"({"signers":0})", R"({"max_age":"x"})", R"({"identity":""})",
                          R"({"attestations":[""]})", R"({"other":1})", R"({"signers":null})"})
    EXPECT_FALSE(
        Policy::parse(as_bytes(R"({"version":1,"requirements":[)" + std::string(bad) + "]}")))
        << bad;
}

TEST(Ages, AreNumbersWithAUnit) {
  EXPECT_EQ(*parse_age("90d"), 90 * 86400);
  EXPECT_EQ(*parse_age("12h"), 43200);
  for (const char* bad : {"", "d", "0d", "-1d", "90", "1.5h", "99999999999d"})
    EXPECT_EQ(kind_of(parse_age(bad)), ErrorKind::invalid_argument) << bad;
}

// A policy that is a rule of certificates is the same after it was written.
TEST(CertificateRules, SurviveTheFile) {
  Rule rule{.key = {}, .identity_pattern = "registry.example/**", .pins = {}};
  rule.certificates =
      CertificateTrust{*parse_certificates(golden("notation/root.pem")), "C=US, O=Golden"};
  Policy policy;
  ASSERT_TRUE(policy.add(rule));
  const std::string text = policy.to_text();
  const auto again = Policy::parse(as_bytes(text));
  ASSERT_TRUE(again) << why(again);
  ASSERT_EQ(again->rules().size(), 1u);
  EXPECT_FALSE(again->rules().front().key);
  EXPECT_EQ(again->rules().front().fingerprint(), rule.fingerprint());
  EXPECT_EQ(again->to_text(), text);
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string bad = text;
    bad.replace(bad.find(from), from.size(), to);
    return Policy::parse(as_bytes(bad));
  };
  EXPECT_FALSE(replaced("C=US", "C"));
  EXPECT_FALSE(replaced("\"fingerprint\": \"sha256:", "\"fingerprint\": \"sha256:0"));
  EXPECT_FALSE(replaced("\"certificates\"", "\"key\""));
}

}  // namespace
}  // namespace intact::sign
