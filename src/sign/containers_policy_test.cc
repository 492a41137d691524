#include "containers_policy.h"

#include <gtest/gtest.h>

#include <intact/base/file.h>
#include <intact/crypto/base64.h>
#include <intact/crypto/hash.h>
#include <intact/sign/trust.h>

#include "testing.h"

namespace intact::sign {
namespace {

using Type = ContainersPolicy::Requirement::Type;
using Kind = ContainersPolicy::SignedIdentity::Kind;

const Digest kManifest = crypto::sha256(as_bytes("manifest"));
const std::string kHex(64, 'a');

ContainersPolicy policy_of(const std::string& text) {
  auto policy = ContainersPolicy::parse(as_bytes(text));
  EXPECT_TRUE(policy) << why(policy);
  return policy ? *std::move(policy) : ContainersPolicy();
}

// The example of containers-policy.json(5), without its comments and with other hosts.
const char kManual[] = R"({
  "default": [{"type": "reject"}],
  "transports": {
    "docker": {
      "registry.example/openshift": [{"type": "insecureAcceptAnything"}],
      "registry.example/library/busybox": [{"type": "insecureAcceptAnything"}],
      "*.temporary-project.example.com": [{"type": "insecureAcceptAnything"}],
      "hostname:5000/myns/sigstore-signed-with-full-references": [
        {"type": "sigstoreSigned", "keyPath": "/path/to/sigstore-pubkey.pub"}],
      "hostname:5000/myns/sigstore-signed-allows-malicious-tag-substitution": [
        {"type": "sigstoreSigned", "keyPath": "/path/to/sigstore-pubkey.pub",
         "signedIdentity": {"type": "matchRepository"}}]
    },
    "dir": {"": [{"type": "insecureAcceptAnything"}]},
    "atomic": {
      "hostname:5000/myns/official": [
        {"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/path/to/official-pubkey.gpg"}],
      "private-mirror:5000/vendor-mirror": [
        {"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/path/to/vendor-pubkey.gpg",
         "signedIdentity": {"type": "remapIdentity", "prefix": "private-mirror:5000/vendor-mirror",
                            "signedPrefix": "vendor.example.com"}}]
    }
  }
})";

TEST(ContainersPolicy, DecidesAsTheManualSays) {
  const ContainersPolicy policy = policy_of(kManual);
  const auto type = [&](const std::string& image) {
    const auto decision = policy.decide(image, {});
    EXPECT_TRUE(decision) << image << ": " << why(decision);
    return decision ? decision->requirements.front().type : Type::unsupported;
  };
  EXPECT_EQ(type("registry.example/openshift/origin:1"), Type::accept_anything);
  EXPECT_EQ(type("registry.example/openshift"), Type::accept_anything);
  EXPECT_EQ(type("registry.example/openshift-evil/origin:1"), Type::reject);
  EXPECT_EQ(type("registry.example/library/busybox:latest"), Type::accept_anything);
  EXPECT_EQ(type("registry.example/library/busybox2:latest"), Type::reject);
  EXPECT_EQ(type("a.temporary-project.example.com/x:1"), Type::accept_anything);
  EXPECT_EQ(type("a.b.temporary-project.example.com/x:1"), Type::accept_anything);
  EXPECT_EQ(type("temporary-project.example.com/x:1"), Type::reject);
  EXPECT_EQ(type("eviltemporary-project.example.com/x:1"), Type::reject);
  EXPECT_EQ(type("hostname:5000/myns/sigstore-signed-with-full-references:1"),
            Type::sigstore_signed);
  EXPECT_EQ(type("hostname/myns/sigstore-signed-with-full-references:1"), Type::reject);
  // In a layout: the default. The scopes of "dir" and "atomic" are for other tools.
  EXPECT_EQ(type(""), Type::reject);
}

TEST(ContainersPolicy, TheMostSpecificScopeDecides) {
  const std::string digest = "sha256:" + kHex;
  const ContainersPolicy policy = policy_of(
      R"({"default": [{"type": "reject"}], "transports": {"docker": {
        "": [{"type": "signedBy"}],
        "*.example": [{"type": "insecureAcceptAnything"}],
        "registry.example": [{"type": "reject"}],
        "registry.example/team/app": [{"type": "insecureAcceptAnything"}],
        "registry.example/team/app:bad": [{"type": "reject"}],
        "registry.example/team/app@)" +
      digest + R"(": [{"type": "signedBy"}]}}})");
  const auto scope = [&](const std::string& image, const Digest& manifest = {}) {
    return policy.decide(image, manifest)->scope;
  };
  EXPECT_EQ(scope("registry.example/team/app:good"), "docker 'registry.example/team/app'");
  EXPECT_EQ(scope("registry.example/team/app:bad"), "docker 'registry.example/team/app:bad'");
  EXPECT_EQ(scope("registry.example/team/app", *Digest::parse(digest)),
            "docker 'registry.example/team/app@" + digest + "'");
  EXPECT_EQ(scope("registry.example/other:1"), "docker 'registry.example'");
  EXPECT_EQ(scope("other.example/x:1"), "docker '*.example'");
  EXPECT_EQ(scope("elsewhere.test/x:1"), "docker ''");
  EXPECT_EQ(scope(""), "default");
  const auto layouts = policy_of(
      R"({"default": [{"type": "insecureAcceptAnything"}], "transports": {"oci": {"/srv": [{"type": "reject"}]}}})");
  EXPECT_EQ(kind_of(layouts.decide("", {})), ErrorKind::unsupported);
  EXPECT_EQ(layouts.decide("registry.example/x:1", {})->scope, "default");
}

TEST(ContainersPolicy, AnIndexCanBeRejectedOnly) {
  const std::string index = "sha256:" + std::string(64, '1'),
                    open = "sha256:" + std::string(64, '2');
  const auto policy = policy_of(R"({"default": [{"type": "reject"}], "transports": {"docker": {
      "registry.example/app@)" + index +
                                R"(": [{"type": "reject"}],
      "registry.example/app@)" + open +
                                R"(": [{"type": "insecureAcceptAnything"}]}}})");
  EXPECT_TRUE(policy.rejects("registry.example/app:1", *Digest::parse(index)));
  EXPECT_FALSE(policy.rejects("registry.example/app:1", *Digest::parse(open)));
  EXPECT_FALSE(policy.rejects("registry.example/other:1", *Digest::parse(index)));
  EXPECT_FALSE(policy.rejects("", *Digest::parse(index)));
}

TEST(ContainersPolicy, NullIsNotAbsent) {
  const std::string accept = R"({"default": [{"type": "insecureAcceptAnything"}])";
  EXPECT_TRUE(ContainersPolicy::parse(as_bytes(accept + "}")));
  EXPECT_EQ(kind_of(ContainersPolicy::parse(as_bytes(accept + R"(, "transports": null})"))),
            ErrorKind::malformed);
}

TEST(ContainersPolicy, MatchesSignedIdentitiesAsTheManualSays) {
  const std::string at = "registry.example/team/app";
  struct Case {
    ContainersPolicy::SignedIdentity wanted;
    std::string image;
    std::string identity;
    bool fits;
  };
  const std::string by_digest = at + "@sha256:" + kHex;
  const Case cases[] = {
      {{Kind::match_exact}, at + ":1", at + ":1", true},
      {{Kind::match_exact}, at + ":1", at + ":2", false},
      {{Kind::match_exact}, at, at + ":1", false},  // by digest
      {{Kind::match_exact}, at, at, false},
      {{Kind::match_repo_digest_or_exact}, at + ":1", at + ":1", true},
      {{Kind::match_repo_digest_or_exact}, at + ":1", at + ":2", false},
      {{Kind::match_repo_digest_or_exact}, at + ":1", at, false},  // as cosign signs
      {{Kind::match_repo_digest_or_exact}, at, at + ":2", true},
      {{Kind::match_repo_digest_or_exact}, at, "registry.example/team/other:2", false},
      {{Kind::match_repository}, at + ":1", at + ":2", true},
      {{Kind::match_repository}, at + ":1", at, true},
      {{Kind::match_repository}, at + ":1", "registry.example/team:2", false},
      {{Kind::match_repository}, "", at, false},  // not in a registry
      {{Kind::match_repository}, at + ":1", "", false},
      {{Kind::exact_reference, at + ":1"}, "mirror.example/x:7", at + ":1", true},
      {{Kind::exact_reference, at + ":1"}, "", at + ":1", true},
      {{Kind::exact_reference, at + ":1"}, at + ":1", at + ":2", false},
      {{Kind::exact_reference, by_digest}, "", by_digest, true},
      {{Kind::exact_reference, by_digest}, "", at, false},
      {{Kind::exact_repository, at}, "mirror.example/x:7", at + ":3", true},
      {{Kind::exact_repository, at}, at + ":1", "registry.example/team/other:1", false},
      {{Kind::remap_identity, "private-mirror:5000/vendor-mirror", "vendor.example.com"},
       "private-mirror:5000/vendor-mirror/productA/image1:latest",
       "vendor.example.com/productA/image1:latest",
       true},
      {{Kind::remap_identity, "private-mirror:5000/vendor-mirror", "vendor.example.com"},
       "private-mirror:5000/vendor-mirror/productA/image1:latest",
       "vendor.example.com/productA/image1:other",
       false},
      {{Kind::remap_identity, "private-mirror:5000/vendor-mirror", "vendor.example.com"},
       "private-mirror:5000/vendor-mirror/productA/image1:latest",
       "private-mirror:5000/vendor-mirror/productA/image1:latest",
       false},
      // Not a component of its own, so nothing is remapped.
      {{Kind::remap_identity, "private-mirror:5000/vendor", "vendor.example.com"},
       "private-mirror:5000/vendor-mirror/a:1",
       "private-mirror:5000/vendor-mirror/a:1",
       true},
      {{Kind::remap_identity, "private-mirror:5000", "vendor.example.com"},
       "private-mirror:5000/a/b:1",
       "vendor.example.com/a/b:1",
       true},
  };
  for (const Case& one : cases)
    EXPECT_EQ(one.wanted.matches(one.image, one.identity), one.fits)
        << static_cast<int>(one.wanted.kind) << " '" << one.image << "' as '" << one.identity
        << "'";
}

TEST(ContainersPolicy, RefusesWhatContainersRefuses) {
  const auto with = [](const std::string& requirement) {
    return ContainersPolicy::parse(as_bytes(R"({"default": [)" + requirement + "]}"));
  };
  const std::string pem = generate_key().public_key().to_pem();
  const std::string data = crypto::encode_base64(as_bytes(pem));
  const std::string good = R"({"type": "sigstoreSigned", "keyData": ")" + data + "\"";
  EXPECT_TRUE(with(good + "}"));
  EXPECT_TRUE(with(good + R"(, "signedIdentity": {"type": "matchExact"}})"));
  EXPECT_TRUE(with(R"({"type": "sigstoreSigned", "keyPaths": ["/a", "/b"]})"));
  for (const std::string& bad : {
           std::string(),
           std::string(R"({"type": "reject", "more": 1})"),
           std::string(R"({"type": "Reject"})"),
           std::string(R"({"type": "sigstoreSigned"})"),
           std::string(R"({"type": "sigstoreSigned", "keyPaths": []})"),
           std::string(R"({"type": "sigstoreSigned", "keyData": "AAAA"})"),
           good + R"(, "keyPath": "/a"})",
           good + R"(, "keypath": "/a"})",
           good + R"(, "signedIdentity": {"type": "matchAll"}})",
           good + R"(, "signedIdentity": {"type": "exactReference", "dockerReference": "h.x/a"}})",
           good +
               R"(, "signedIdentity": {"type": "exactRepository", "dockerRepository": "h.x/a:1"}})",
           good + R"(, "signedIdentity": {"type": "remapIdentity", "prefix": "a"}})",
           good + R"(, "signedIdentity": {"type": "matchExact", "dockerReference": "h.x/a:1"}})",
       })
    EXPECT_FALSE(with(bad)) << bad;
  for (const char* bad :
       {"", "[]", "{}", R"({"default": []})", R"({"default": {"type": "reject"}})",
        R"({"default": [{"type": "reject"}], "transport": {}})",
        R"({"default": [{"type": "reject"}], "transports": {"docker": []}})",
        R"({"default": [{"type": "reject"}], "default": [{"type": "reject"}]})"})
    EXPECT_FALSE(ContainersPolicy::parse(as_bytes(std::string(bad)))) << bad;
}

/// By files, as commands use it.
class SignaturePolicyTest : public testing::Test {
 protected:
  SignaturePolicyTest() {
    EXPECT_TRUE(write_file_durably(dir_.path("policy.json"), as_bytes(own_.to_text()), 0644));
    for (const auto& [name, key] : {std::pair("one.pub", &one_), std::pair("two.pub", &two_)})
      EXPECT_TRUE(write_file_durably(dir_.path(name), as_bytes(key->public_key().to_pem()), 0644));
  }
  std::string signed_by(const char* file, const std::string& more = {}) const {
    return R"({"type": "sigstoreSigned", "keyPath": ")" + dir_.path(file) + "\"" + more + "}";
  }
  Result<Verdict> check(const std::string& requirements, const std::vector<Evidence>& evidence,
                        Anchors anchors = {.key_files = {}}) {
    EXPECT_TRUE(write_file_durably(dir_.path("policy.json"), as_bytes(own_.to_text()), 0644));
    EXPECT_TRUE(write_file_durably(
        dir_.path("theirs.json"),
        as_bytes(
            R"({"default": [{"type": "reject"}], "transports": {"docker": {"registry.example": [)" +
            requirements + "]}}}"),
        0644));
    anchors.policy_file = dir_.path("policy.json");
    anchors.signature_policy = dir_.path("theirs.json");
    if (anchors.place.empty()) anchors.place = "registry.example/team/app:1";
    return check_trust(evidence, kManifest, "", anchors);
  }
  static Evidence by(const PrivateKey& key, const std::string& identity) {
    const Bytes payload = encode_payload({identity, kManifest});
    return {payload, crypto::encode_base64(*key.sign(payload))};
  }
  static void expect_refused(const Result<Verdict>& verdict, const std::string& text,
                             ErrorKind kind = ErrorKind::untrusted) {
    ASSERT_FALSE(verdict) << text;
    EXPECT_EQ(verdict.error().kind(), kind) << why(verdict);
    EXPECT_NE(verdict.error().message().find(text), std::string::npos) << why(verdict);
  }

  TempDir dir_ = *TempDir::create();
  PrivateKey one_ = generate_key();
  PrivateKey two_ = generate_key();
  const std::string identity_ = "registry.example/team/app:1";
  Policy own_;
};

TEST_F(SignaturePolicyTest, KeysAndNamesOfTheScopeCount) {
  const auto accepted = check(signed_by("one.pub"), {by(one_, identity_)});
  ASSERT_TRUE(accepted) << why(accepted);
  EXPECT_EQ(accepted->key_fingerprint, one_.public_key().fingerprint());
  expect_refused(check(signed_by("one.pub"), {by(two_, identity_)}), "not signed by a trusted key");
  expect_refused(check(signed_by("one.pub"), {}), "not signed");
  expect_refused(check(signed_by("one.pub"), {by(one_, "registry.example/team/app:2")}),
                 "not under the name that the signature policy demands");
  expect_refused(check(signed_by("one.pub"), {by(one_, "")}), "has signed it as no name");
  EXPECT_TRUE(check(signed_by("one.pub", R"(, "signedIdentity": {"type": "matchRepository"})"),
                    {by(one_, "registry.example/team/app:2")}));
  Anchors elsewhere{.key_files = {}};
  elsewhere.place = "other.example/team/app:1";
  expect_refused(check(signed_by("one.pub"), {by(one_, "other.example/team/app:1")}, elsewhere),
                 "(scope default) rejects such images");
}

TEST_F(SignaturePolicyTest, AllRequirementsHaveToHold) {
  const std::string both = signed_by("one.pub") + "," + signed_by("two.pub");
  expect_refused(check(both, {by(one_, identity_)}), "not signed by a trusted key");
  expect_refused(check(both, {by(two_, identity_)}), "not signed by a trusted key");
  EXPECT_TRUE(check(both, {by(one_, identity_), by(two_, identity_)}));
  EXPECT_TRUE(check(signed_by("one.pub") + R"(,{"type": "insecureAcceptAnything"})",
                    {by(one_, identity_)}));
  expect_refused(check(signed_by("one.pub") + R"(,{"type": "reject"})", {by(one_, identity_)}),
                 "(scope docker 'registry.example') rejects such images");
  expect_refused(check(R"({"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/k.gpg"})",
                       {by(one_, identity_)}),
                 "requires signedBy (GPG keys), which is not supported", ErrorKind::unsupported);
  expect_refused(
      check(signed_by("one.pub", R"(, "rekorPublicKeyPath": "/r")"), {by(one_, identity_)}),
      "requires sigstoreSigned with rekorPublicKeyPath", ErrorKind::unsupported);
}

TEST_F(SignaturePolicyTest, OurRevocationsAndRequirementsHoldToo) {
  const std::string anything = R"({"type": "insecureAcceptAnything"})";
  const auto unsigned_image = check(anything, {});
  ASSERT_TRUE(unsigned_image) << why(unsigned_image);
  EXPECT_FALSE(unsigned_image->is_signed());
  Anchors named{.key_files = {}};
  named.identity = identity_;
  expect_refused(check(anything, {}, named), "accepts anything, but a signature is asked for");
  ASSERT_TRUE(own_.require({.identity_pattern = "registry.example/team/*", .signers = 2}));
  expect_refused(check(anything, {}), "accepts anything, but the trust policy has a requirement");
  expect_refused(check(signed_by("one.pub"), {by(one_, identity_)}), "requires 2 signers");
  ASSERT_TRUE(own_.drop_requirement("registry.example/team/*"));
  own_.revoke(kManifest);
  expect_refused(check(anything, {}), "revoked by the trust policy");
  expect_refused(check(signed_by("one.pub"), {by(one_, identity_)}), "revoked by the trust policy");
}

TEST_F(SignaturePolicyTest, AMissingOrForeignFileTrustsNobody) {
  EXPECT_TRUE(check(signed_by("one.pub"), {by(one_, identity_)}));
  expect_refused(check(signed_by("missing.pub"), {by(one_, identity_)}), "missing.pub",
                 ErrorKind::not_found);
  Anchors anchors{.key_files = {}};
  anchors.policy_file = dir_.path("policy.json");
  anchors.signature_policy = dir_.path("nowhere.json");
  expect_refused(check_trust({by(one_, identity_)}, kManifest, "", anchors), "nowhere.json");
}

}  // namespace
}  // namespace intact::sign
