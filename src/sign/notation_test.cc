#include <intact/crypto/certificate_chain.h>
#include <intact/crypto/hash.h>
#include <intact/sign/bundle.h>
#include <intact/sign/certificates.h>
#include <intact/sign/notation.h>
#include <intact/sign/signed_time.h>
#include <intact/sign/trust.h>

#include "cbor_item.h"
#include "testing.h"

namespace intact::sign {
namespace {

const Digest kManifest =
    *Digest::parse("sha256:bf9a0aa3ec13b619da2613e64e92a145a78981c55e856af1709bb940e3f360ef");
const std::string kIdentity = "registry.example/team/app:1";
/// When notation made the golden signatures and certificates, and a day later.
const std::int64_t kSigned = *parse_time("2026-11-30T20:51:20Z");
const std::int64_t kNow = kSigned + 86000;

std::vector<crypto::Certificate> certificates(const std::string& name) {
  return *parse_certificates(golden("notation/" + name));
}

Rule authority(const std::string& subject = "") {
  Rule rule{.key = {}, .identity_pattern = {}, .pins = {}};
  rule.certificates = CertificateTrust{certificates("root.pem"), subject};
  return rule;
}

Evidence envelope(const std::string& name) {
  return {.payload = golden("notation/" + name),
          .kind = std::string(name.ends_with(".jws") ? kNotationJws : kNotationCose)};
}

Result<Verdict> judge(const Evidence& piece, const Rule& rule, std::int64_t now = kNow,
                      const Digest& manifest = kManifest) {
  return evaluate_trust({piece}, manifest, "", {}, {.rules = {rule}, .now = now});
}

void expect_refused(const Result<Verdict>& verdict, const std::string& why_not) {
  ASSERT_FALSE(verdict) << why_not;
  EXPECT_EQ(verdict.error().kind(), ErrorKind::untrusted);
  EXPECT_NE(verdict.error().message().find(why_not), std::string::npos)
      << verdict.error().message();
}

TEST(Notation, AcceptsWhatNotationSignsWithEveryKindOfKey) {
  for (const char* key : {"p256", "p384", "p521", "rsa", "rsa3"}) {
    for (const char* form : {".jws", ".cose"}) {
      const std::string name = std::string(key) + form;
      Rule rule = authority("C=US, ST=WA, O=Golden");
      rule.identity_pattern = "registry.example/team/*";
      const auto verdict = judge(envelope(name), rule);
      ASSERT_TRUE(verdict) << name << ": " << why(verdict);
      EXPECT_EQ(verdict->identity, kIdentity) << name;
      EXPECT_EQ(verdict->subject, "C=US, ST=WA, O=Golden, CN=" + std::string(key));
      EXPECT_LE(std::abs(*verdict->time - kSigned), 10) << name;
      expect_refused(judge(envelope(name), rule, kNow, crypto::sha256({})),
                     "has signed another manifest");
    }
  }
}

TEST(Notation, AChangedByteIsNotSigned) {
  for (const char* name : {"p256.jws", "p256.cose", "rsa.cose"}) {
    const Evidence good = envelope(name);
    ASSERT_TRUE(judge(good, authority()));
    for (std::size_t i = 0; i < good.payload.size(); i += 41) {
      Evidence bad = good;
      bad.payload[i] ^= std::byte{1};
      // Only what is not signed may differ: who made it, and certificates that are not needed.
      const auto verdict = judge(bad, authority());
      if (!verdict) continue;
      EXPECT_EQ(verdict->identity, kIdentity);
      EXPECT_EQ(verdict->subject, judge(good, authority())->subject);
    }
  }
}

TEST(Notation, NeedsACertificateOfTheAuthority) {
  Rule other = authority();
  other.certificates->authorities = certificates("server.pem");
  expect_refused(judge(envelope("p256.jws"), other), "does not lead to a trusted one");
  // The signer's own certificate may be trusted directly.
  other.certificates->authorities = certificates("p256.pem");
  EXPECT_TRUE(judge(envelope("p256.jws"), other));
  expect_refused(judge(envelope("rsa.jws"), other), "does not lead to a trusted one");
  // A bare key is not a certificate, not even that of the certificate.
  const auto chain = crypto::CertificateChain::from(certificates("p256.pem"));
  ASSERT_TRUE(chain) << why(chain);
  expect_refused(judge(envelope("p256.jws"),
                       {.key = PublicKey(chain->key()), .identity_pattern = {}, .pins = {}}),
                 "not signed by a trusted key");
}

TEST(Notation, ComparesTheSubject) {
  EXPECT_TRUE(judge(envelope("p256.jws"), authority("CN=p256")));
  EXPECT_TRUE(judge(envelope("p256.jws"), authority("x509.subject: O=Golden, CN=p256")));
  expect_refused(judge(envelope("p256.jws"), authority("CN=p25")), "only 'CN=p25' is trusted");
  expect_refused(judge(envelope("p256.jws"), authority("CN=p256, L=Seattle")), "is trusted");
}

TEST(Notation, IsNotValidBeforeOrAfterItsCertificatesNorAfterItsExpiry) {
  EXPECT_TRUE(judge(envelope("expiry.jws"), authority()));
  EXPECT_TRUE(judge(envelope("expiry.cose"), authority()));
  for (const char* name : {"expiry.jws", "expiry.cose"})
    expect_refused(judge(envelope(name), authority(), kSigned + 90000), "expired at 2026-12-01T");
  expect_refused(judge(envelope("p256.jws"), authority(), *parse_time("2025-01-01T00:00:00Z")),
                 "not yet valid");
  expect_refused(judge(envelope("p256.jws"), authority(), *parse_time("2130-01-01T00:00:00Z")),
                 "expired");
}

TEST(Notation, RefusesCertificatesThatAreNotForSigningCode) {
  const auto chain_of = [](const std::string& name) {
    return crypto::CertificateChain::from(certificates(name));
  };
  const auto verified = [&](const std::string& name) -> Result<void> {
    return TRY(chain_of(name)).verify(certificates("root.pem"), kNow);
  };
  EXPECT_TRUE(verified("p256.pem"));
  EXPECT_TRUE(verified("rsa.pem"));
  EXPECT_TRUE(verified("plain.pem"));  // without extended usages, which are optional
  for (const char* name : {"server.pem", "both.pem", "nousage.pem", "authority.pem", "sha1.pem"})
    EXPECT_EQ(kind_of(verified(name)), ErrorKind::untrusted) << name;
}

// A key that has signed with its certificate and without is one signer, not two.
TEST(Notation, AKeyAndItsCertificateAreOneSigner) {
  const auto key = PrivateKey::load(golden_path("notation/p256.key"), no_password());
  ASSERT_TRUE(key) << why(key);
  const auto chain = crypto::CertificateChain::from(certificates("p256.pem"));
  const SignedManifest subject{"application/vnd.oci.image.manifest.v1+json", kManifest, 561};
  const SigningPayload payload{.docker_reference = kIdentity, .manifest = kManifest};
  const Evidence certified{
      .payload = *make_notation(payload, subject, *key, *chain, kSigned, NotationFormat::jws),
      .kind = std::string(kNotationJws)};
  const auto bare = [&](const PrivateKey& by) {
    return Evidence{.payload = *make_bundle(payload, by), .kind = std::string(kSigstoreBundle)};
  };
  const PrivateKey other = generate_key();
  Policy policy;
  for (const PrivateKey* known : {&*key, &other})
    ASSERT_TRUE(
        policy.add({.key = known->public_key(), .identity_pattern = {}, .pins = {}, .label = {}}));
  ASSERT_TRUE(policy.add(authority()));
  ASSERT_TRUE(policy.require({.signers = 2}));
  const auto all = [&](const std::vector<Evidence>& evidence) {
    return evaluate_trust(evidence, kManifest, "", policy, {.now = kNow});
  };
  expect_refused(all({bare(*key), certified}), "only 1 signed");
  expect_refused(all({certified, bare(*key)}), "only 1 signed");
  expect_refused(all({certified, envelope("p256.cose")}), "only 1 signed");
  const auto two = all({bare(*key), certified, bare(other)});
  ASSERT_TRUE(two) << why(two);
  EXPECT_EQ(two->signers.size(), 2u);
  EXPECT_TRUE(all({certified, envelope("rsa.jws")}));
}

TEST(Notation, WritesWhatItReads) {
  for (const char* name : {"p256", "rsa"}) {
    const auto key =
        PrivateKey::load(golden_path("notation/" + std::string(name) + ".key"), no_password());
    ASSERT_TRUE(key) << why(key);
    auto list = certificates(std::string(name) + ".pem");
    list.push_back(certificates("root.pem").front());
    const auto chain = crypto::CertificateChain::from(std::move(list));
    ASSERT_TRUE(chain) << why(chain);
    const SignedManifest subject{"application/vnd.oci.image.manifest.v1+json", kManifest, 561};
    const SigningPayload payload{.docker_reference = kIdentity, .manifest = kManifest, .serial = 7};
    for (const NotationFormat format : {NotationFormat::jws, NotationFormat::cose}) {
      const auto made = make_notation(payload, subject, *key, *chain, kSigned, format);
      ASSERT_TRUE(made) << why(made);
      const std::string kind(format == NotationFormat::jws ? kNotationJws : kNotationCose);
      const auto verdict = judge({.payload = *made, .kind = kind}, authority());
      ASSERT_TRUE(verdict) << why(verdict);
      EXPECT_EQ(verdict->identity, kIdentity);
      EXPECT_EQ(verdict->serial, 7u);
      EXPECT_EQ(verdict->time, kSigned);

      const SignatureImage image = wrap_notation(*made, subject, *chain, kSigned, format);
      const auto layers = parse_signature_manifest(image.manifest);
      ASSERT_TRUE(layers && layers->size() == 1) << why(layers);
      EXPECT_EQ(layers->front().kind, kind);
      EXPECT_EQ(layers->front().payload, crypto::sha256(image.payload));
    }
    EXPECT_EQ(kind_of(make_notation(payload, subject, generate_key(), *chain, kSigned,
                                    NotationFormat::jws)),
              ErrorKind::invalid_argument);
  }
}

// The headers are those of notation to the byte.
TEST(Notation, CoseHeadersAreNotations) {
  const auto theirs = parse_cbor(golden("notation/p256.cose"));
  ASSERT_TRUE(theirs) << why(theirs);
  const auto key = PrivateKey::load(golden_path("notation/p256.key"), no_password());
  const auto chain = crypto::CertificateChain::from(certificates("p256.pem"));
  const auto envelope = parse_notation_cose(golden("notation/p256.cose"));
  ASSERT_TRUE(key && chain && envelope);
  const auto made =
      make_notation({"", kManifest}, {"application/vnd.oci.image.manifest.v1+json", kManifest, 561},
                    *key, *chain, envelope->signing_time, NotationFormat::cose);
  ASSERT_TRUE(made) << why(made);
  const auto ours = parse_cbor(*made);
  ASSERT_TRUE(ours) << why(ours);
  EXPECT_EQ(ours->items[0].items[0].bytes, theirs->items[0].items[0].bytes);
}

TEST(Notation, RefusesWhatItDoesNotUnderstand) {
  const auto jws = [](const std::string& from, const std::string& to) {
    std::string text(as_text(golden("notation/p256.jws")));
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return parse_notation_jws(as_bytes(text.replace(at, from.size(), to)));
  };
  EXPECT_TRUE(jws("payload", "payload"));
  EXPECT_EQ(kind_of(jws(R"("payload":)", R"("payload":"","payload":)")), ErrorKind::malformed);
  EXPECT_EQ(kind_of(jws(R"("payload":)", R"("signatures":[],"payload":)")), ErrorKind::malformed);
  EXPECT_EQ(kind_of(jws("x5c", "x5d")), ErrorKind::malformed);
  EXPECT_EQ(kind_of(jws(R"("protected":")", R"("protected":"=)")), ErrorKind::malformed);
  EXPECT_EQ(kind_of(parse_notation_cose(golden("notation/p256.jws"))), ErrorKind::malformed);
  EXPECT_EQ(kind_of(parse_notation_jws(golden("notation/p256.cose"))), ErrorKind::malformed);
}

TEST(Cbor, RefusesWhatCouldBeReadInTwoWaysOrTakesLong) {
  const auto parse = [](std::initializer_list<unsigned> bytes) {
    Bytes text;
    for (const unsigned byte : bytes) text.push_back(static_cast<std::byte>(byte));
    return parse_cbor(text);
  };
  EXPECT_TRUE(parse({0xa2, 0x01, 0x02, 0x03, 0x04}));
  EXPECT_EQ(kind_of(parse({0xa2, 0x01, 0x02, 0x01, 0x04})), ErrorKind::malformed);  // a key twice
  EXPECT_EQ(kind_of(parse({0x9f, 0x01, 0xff})), ErrorKind::malformed);              // no length
  EXPECT_EQ(kind_of(parse({0x01, 0x02})), ErrorKind::malformed);                    // two items
  EXPECT_EQ(kind_of(parse({})), ErrorKind::malformed);
  EXPECT_EQ(kind_of(parse({0x58, 0x20, 0x00})), ErrorKind::malformed);  // cut off
  EXPECT_EQ(kind_of(parse({0xf5})), ErrorKind::malformed);              // true
  EXPECT_EQ(kind_of(parse({0x9a, 0xff, 0xff, 0xff, 0xff})), ErrorKind::limit);
  EXPECT_EQ(kind_of(parse_cbor(Bytes(100, std::byte{0x81}))), ErrorKind::limit);
}

TEST(Cbor, WritesWhatItReads) {
  const Bytes bytes = CborWriter()
                          .tag(18)
                          .array(4)
                          .number(-38)
                          .number(70000)
                          .text("text")
                          .map(1)
                          .number(1)
                          .bytes(as_bytes("bytes"))
                          .take();
  const auto item = parse_cbor(bytes);
  ASSERT_TRUE(item) << why(item);
  const auto& parts = item->items[0].items;
  EXPECT_EQ(parts[0].number, 37u);
  EXPECT_TRUE(parts[0].is(Cbor::Type::negative_integer));
  EXPECT_EQ(parts[1].number, 70000u);
  EXPECT_EQ(parts[2].text, "text");
  ASSERT_NE(find_number_key(parts[3], 1), nullptr);
  EXPECT_EQ(find_number_key(parts[3], 2), nullptr);
}

TEST(Certificates, SubjectsAreReadStrictly) {
  const auto subject = parse_subject("x509.subject: C=US, O=A\\, B, CN=x=y");
  ASSERT_TRUE(subject) << why(subject);
  EXPECT_EQ(*subject, (Subject{{"C", "US"}, {"O", "A, B"}, {"CN", "x=y"}}));
  EXPECT_EQ(subject_text(*subject), "C=US, O=A\\, B, CN=x=y");
  for (const char* bad : {"", "CN", "CN=", "=x", "CN=a, CN=b", "CN=a,", "CN=a\\"})
    EXPECT_EQ(kind_of(parse_subject(bad)), ErrorKind::invalid_argument) << bad;
  EXPECT_FALSE(has_attributes({{"CN", "a"}, {"CN", "a"}}, {{"CN", "a"}}));
}

TEST(SignedTime, IsReadAndWritten) {
  for (const char* text : {"1970-01-01T00:00:00Z", "2026-02-28T23:59:59Z", "2024-02-29T12:00:00Z"})
    EXPECT_EQ(format_time(*parse_time(text)), text);
  EXPECT_EQ(*parse_time("2026-11-30T22:51:17+02:00"), *parse_time("2026-11-30T20:51:17.25Z"));
  for (const char* bad : {"", "2026-11-30", "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z",
                          "2026-11-30T20:51:17", "2026-11-30T20:51:17Zx", "2026-11-30T25:00:00Z",
                          "1969-12-31T23:59:59Z", "2026-11-30T20:51:17.Z"})
    EXPECT_EQ(kind_of(parse_time(bad)), ErrorKind::malformed) << bad;
}

}  // namespace
}  // namespace intact::sign
