#include <intact/crypto/base64.h>
#include <intact/crypto/hash.h>
#include <intact/sign/bundle.h>
#include <intact/sign/signature_image.h>
#include <intact/sign/trust.h>

#include "testing.h"

namespace intact::sign {
namespace {

const std::string kManifest =
    "sha256:bf9a0aa3ec13b619da2613e64e92a145a78981c55e856af1709bb940e3f360ef";

Digest digest(std::string_view text) {
  return *Digest::parse(text);
}

Evidence bundle_evidence(Bytes bundle) {
  return {.payload = std::move(bundle), .kind = std::string(kSigstoreBundle)};
}

Policy trusting(const PublicKey& key, std::optional<std::string> pattern = {}) {
  Policy policy;
  EXPECT_TRUE(policy.add({.key = key, .identity_pattern = std::move(pattern), .pins = {}}));
  return policy;
}

Result<Verdict> judge(const Evidence& piece, const Digest& manifest, const Policy& policy,
                      const std::string& name = "") {
  return evaluate_trust({piece}, manifest, name, policy);
}

/// What cosign wrote, with another text in place of the first `from`.
Bytes changed(Bytes bytes, const std::string& from, const std::string& to) {
  std::string text(as_text(bytes));
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  if (at != std::string::npos) text.replace(at, from.size(), to);
  return to_bytes(text);
}

TEST(Bundle, ReadsWhatCosign3Writes) {
  const PublicKey key = golden_public("bundle/cosign3.pub");
  const auto bundle = parse_bundle(golden("bundle/bundle.json"));
  ASSERT_TRUE(bundle) << why(bundle);
  ASSERT_TRUE(bundle->envelope);
  EXPECT_EQ(bundle->envelope->payload_type, kStatementType);
  EXPECT_EQ("sha256:" + to_hex(*crypto::decode_base64(bundle->key_hint)), key.fingerprint());
  EXPECT_TRUE(bundle->certificates.empty());

  const std::string identity = "127.0.0.1:25987/team/app:v1";
  const auto verdict = judge(bundle_evidence(golden("bundle/bundle.json")), digest(kManifest),
                             trusting(key, "127.0.0.1:25987/team/*"), identity);
  ASSERT_TRUE(verdict) << why(verdict);
  EXPECT_EQ(verdict->identity, identity);
  EXPECT_EQ(verdict->key_fingerprint, key.fingerprint());
}

TEST(Bundle, FindsItInTheManifestThatCosignWrites) {
  const auto layers = parse_signature_manifest(golden("bundle/manifest.json"));
  ASSERT_TRUE(layers) << why(layers);
  ASSERT_EQ(layers->size(), 1u);
  EXPECT_EQ(layers->front().kind, kSigstoreBundle);
  EXPECT_EQ(layers->front().payload, crypto::sha256(golden("bundle/bundle.json")));
}

TEST(Bundle, WritesWhatItReads) {
  const PrivateKey key = generate_key();
  const SigningPayload payload{"registry.example/team/app:1", digest(kManifest)};
  const auto bundle = make_bundle(payload, key);
  ASSERT_TRUE(bundle) << why(bundle);
  const Evidence piece = bundle_evidence(*bundle);
  EXPECT_TRUE(judge(piece, payload.manifest, trusting(key.public_key(), "registry.example/**"),
                    payload.docker_reference));
  EXPECT_TRUE(is_signed_by(piece, payload, key.public_key()));
  EXPECT_FALSE(
      is_signed_by(piece, {"registry.example/team/app:2", payload.manifest}, key.public_key()));
  EXPECT_FALSE(is_signed_by(piece, payload, generate_key().public_key()));

  const SignatureImage image =
      wrap_bundle(*bundle, {"application/vnd.oci.image.manifest.v1+json", payload.manifest, 7});
  const auto layers = parse_signature_manifest(image.manifest);
  ASSERT_TRUE(layers && layers->size() == 1) << why(layers);
  EXPECT_EQ(layers->front().payload, crypto::sha256(image.payload));
}

// Byte for byte the statement of `cosign sign -a dev.intact.identity=...`.
TEST(Bundle, TheStatementIsCosigns) {
  const auto bundle = parse_bundle(golden("bundle/bundle.json"));
  ASSERT_TRUE(bundle);
  EXPECT_EQ(as_text(encode_signature_statement({"127.0.0.1:25987/team/app:v1", digest(kManifest)})),
            as_text(bundle->envelope->payload));
  const auto bare = parse_statement(encode_signature_statement({"", digest(kManifest)}));
  ASSERT_TRUE(bare) << why(bare);
  EXPECT_EQ(bare->subjects.front().claims.docker_reference, "");
}

TEST(Bundle, RefusesOtherKeysManifestsAndPayloads) {
  const Bytes good = golden("bundle/bundle.json");
  const Policy policy = trusting(golden_public("bundle/cosign3.pub"));
  EXPECT_TRUE(judge(bundle_evidence(good), digest(kManifest), policy));

  const auto foreign =
      judge(bundle_evidence(good), digest(kManifest), trusting(generate_key().public_key()));
  EXPECT_EQ(kind_of(foreign), ErrorKind::untrusted);
  EXPECT_NE(foreign.error().message().find("not signed by a trusted key"), std::string::npos);

  const auto other = judge(bundle_evidence(good), crypto::sha256(good), policy);
  EXPECT_EQ(kind_of(other), ErrorKind::untrusted);
  EXPECT_NE(other.error().message().find("has signed another manifest, " + kManifest),
            std::string::npos)
      << why(other);

  const std::string payload =
      crypto::encode_base64(encode_signature_statement({"evil.example/app:1", digest(kManifest)}));
  const std::string text(as_text(good));
  const std::size_t begin = text.find("\"payload\":\"") + 11;
  const Bytes swapped =
      to_bytes(text.substr(0, begin) + payload + text.substr(text.find('"', begin)));
  EXPECT_EQ(kind_of(judge(bundle_evidence(swapped), digest(kManifest), policy)),
            ErrorKind::untrusted);
  // What the envelope says of its content is signed as well.
  EXPECT_EQ(kind_of(judge(bundle_evidence(changed(good, "in-toto+json", "in-toto+JSON")),
                          digest(kManifest), policy)),
            ErrorKind::untrusted);
}

// A bundle of `cosign sign` names no image, so a rule with a pattern of names does not accept it.
TEST(Bundle, WithoutAnIdentityFitsOnlyRulesForAnyName) {
  const PrivateKey key = generate_key();
  const Evidence piece = bundle_evidence(*make_bundle({"", digest(kManifest)}, key));
  EXPECT_TRUE(judge(piece, digest(kManifest), trusting(key.public_key())));
  const auto refused =
      judge(piece, digest(kManifest), trusting(key.public_key(), "registry.example/**"));
  EXPECT_EQ(kind_of(refused), ErrorKind::untrusted);
  EXPECT_NE(refused.error().message().find("as no name"), std::string::npos) << why(refused);
}

TEST(Bundle, AnAttestationIsNotASignature) {
  const Policy policy = trusting(golden_public("bundle/cosign3.pub"));
  const std::string type = "https://cosign.sigstore.dev/attestation/v1";
  Evidence classic{.payload = golden("bundle/envelope.json"), .kind = std::string(kDsse)};
  for (const Evidence& piece : {bundle_evidence(golden("bundle/attestation.json")), classic}) {
    const auto refused = judge(piece, digest(kManifest), policy);
    EXPECT_EQ(kind_of(refused), ErrorKind::untrusted);
    EXPECT_NE(refused.error().message().find("an attestation, '" + type + "'"), std::string::npos)
        << why(refused);
    const auto claim = read_unverified(piece, digest(kManifest));
    ASSERT_TRUE(claim);
    EXPECT_EQ(claim->attestation, type);
    EXPECT_FALSE(read_unverified(piece, crypto::sha256(piece.payload)));
  }
}

// `cosign sign-blob` signs whatever file it gets, which may be a manifest.
TEST(Bundle, ASignatureOfAFileIsNotOneOfAnImage) {
  const Digest file = crypto::sha256(as_bytes("some blob"));
  const auto refused = judge(bundle_evidence(golden("bundle/blob.json")), file,
                             trusting(golden_public("bundle/cosign3.pub")));
  EXPECT_EQ(kind_of(refused), ErrorKind::untrusted);
  EXPECT_NE(refused.error().message().find("signs a file (messageSignature), not an image"),
            std::string::npos)
      << why(refused);
  const PrivateKey key = generate_key();
  EXPECT_TRUE(
      judge(bundle_evidence(*make_bundle({"", file}, key)), file, trusting(key.public_key())));
}

TEST(Bundle, RefusesWhatCouldBeReadInTwoWays) {
  const Bytes good = golden("bundle/bundle.json");
  EXPECT_TRUE(parse_bundle(good));
  // Protobuf's JSON has two spellings of each member.
  EXPECT_TRUE(parse_bundle(changed(good, "dsseEnvelope", "dsse_envelope")));
  const auto refuse = [&](const std::string& from, const std::string& to, ErrorKind kind) {
    EXPECT_EQ(kind_of(parse_bundle(changed(good, from, to))), kind) << to;
  };
  refuse(R"("dsseEnvelope":)", R"("dsse_envelope":{},"dsseEnvelope":)", ErrorKind::malformed);
  refuse(R"("dsseEnvelope":)", R"("dsseEnvelope":{},"dsseEnvelope":)", ErrorKind::malformed);
  refuse(R"("dsseEnvelope":)", R"("messageSignature":{"signature":"AA=="},"dsseEnvelope":)",
         ErrorKind::malformed);
  refuse("dsseEnvelope", "otherEnvelope", ErrorKind::malformed);
  refuse(R"("publicKey":)", R"("certificate":{"rawBytes":"AA=="},"publicKey":)",
         ErrorKind::malformed);
  refuse("publicKey", "otherKey", ErrorKind::malformed);
  refuse(R"("signatures":[)", R"("signatures":[{"sig":"AA=="},)", ErrorKind::malformed);
  refuse(R"("payload":")", R"("payload":" )", ErrorKind::malformed);
  refuse("bundle.v0.3+json", "bundle.v0.4+json", ErrorKind::unsupported);
  refuse("vnd.dev.sigstore.bundle", "vnd.example.bundle", ErrorKind::malformed);
  EXPECT_EQ(kind_of(parse_bundle(Bytes(kMaxBundleSize + 1, std::byte{' '}))), ErrorKind::limit);
}

TEST(Bundle, ReadsOlderVersionsAndChainsOfCertificates) {
  const Bytes good = golden("bundle/bundle.json");
  EXPECT_TRUE(parse_bundle(changed(good, "bundle.v0.3+json", "bundle+json;version=0.1")));
  const std::string hint = R"("publicKey":{"hint":"gECRvFVQKlRZhbAdsf2a3B6mYvrATzEOyXwXaNKpzGQ="})";
  const auto one = parse_bundle(changed(good, hint, R"("certificate":{"rawBytes":"AQ=="})"));
  ASSERT_TRUE(one) << why(one);
  EXPECT_EQ(one->certificates, std::vector<Bytes>{Bytes{std::byte{1}}});
  const auto chain = parse_bundle(changed(
      good, hint,
      R"("x509CertificateChain":{"certificates":[{"rawBytes":"AQ=="},{"rawBytes":"Ag=="}]})"));
  ASSERT_TRUE(chain) << why(chain);
  EXPECT_EQ(chain->certificates.size(), 2u);
  EXPECT_EQ(
      kind_of(parse_bundle(changed(good, hint, R"("x509CertificateChain":{"certificates":[]})"))),
      ErrorKind::malformed);
}

TEST(Statement, RefusesWhatIsNotOne) {
  const auto statement = [](const std::string& subjects, const std::string& type = "v1") {
    return parse_statement(to_bytes(R"({"_type":"https://in-toto.io/Statement/)" + type +
                                    R"(","predicateType":"https://sigstore.dev/cosign/sign/v1",)" +
                                    R"("subject":[)" + subjects + R"(],"predicate":{}})"));
  };
  const std::string hex = kManifest.substr(7);
  const std::string subject = R"({"digest":{"sha256":")" + hex + R"("}})";
  ASSERT_TRUE(statement(subject));
  EXPECT_TRUE(payload_of(*statement(subject), digest(kManifest)));
  EXPECT_EQ(kind_of(statement(subject, "v2")), ErrorKind::unsupported);
  EXPECT_EQ(kind_of(statement(R"({"digest":{"sha256":"AB"}})")), ErrorKind::malformed);
  // Signatures are in statements of version 1.
  EXPECT_EQ(kind_of(payload_of(*statement(subject, "v0.1"), digest(kManifest))),
            ErrorKind::malformed);
  // Twice the same manifest could have two identities.
  EXPECT_EQ(kind_of(payload_of(*statement(subject + "," + subject), digest(kManifest))),
            ErrorKind::malformed);
  EXPECT_EQ(kind_of(payload_of(*statement(""), digest(kManifest))), ErrorKind::malformed);
  // A digest of an algorithm that is not known here says nothing, and does no harm.
  const auto both = statement(R"({"digest":{"sha1":"abc","sha256":")" + hex + R"("}})");
  ASSERT_TRUE(both) << why(both);
  EXPECT_TRUE(payload_of(*both, digest(kManifest)));
}

// The example of the DSSE specification.
TEST(Statement, SignedBytesAreThoseOfTheSpecification) {
  EXPECT_EQ(as_text(signed_bytes("http://example.com/HelloWorld", to_bytes("hello world"))),
            "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
}

}  // namespace
}  // namespace intact::sign
