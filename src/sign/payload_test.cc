#include <gtest/gtest.h>

#include <intact/crypto/base64.h>
#include <intact/crypto/hash.h>
#include <intact/json/json.h>
#include <intact/sign/payload.h>
#include <intact/sign/signature_image.h>

#include "testing.h"

namespace intact::sign {
namespace {

Digest golden_manifest_digest() {
  return crypto::sha256(golden("image/image.manifest.json"));
}

TEST(Payload, IsCosignsToTheByte) {
  const SigningPayload payload{"127.0.0.1:5961/team/app", golden_manifest_digest()};
  EXPECT_EQ(as_text(encode_payload(payload)), golden_text("image/first.payload.json"));
}

TEST(Payload, ParsesWhatCosignWrote) {
  for (const char* file : {"image/first.payload.json", "image/second.payload.json"}) {
    const auto payload = parse_payload(golden(file));
    ASSERT_TRUE(payload) << why(payload);
    EXPECT_EQ(payload->docker_reference, "127.0.0.1:5961/team/app");
    EXPECT_EQ(payload->manifest, golden_manifest_digest());
  }
}

TEST(Payload, EscapesAsGoDoes) {
  const SigningPayload payload{"a<b>&\"\\\n\u2028c\u00e9", crypto::sha256({})};
  const std::string text(as_text(encode_payload(payload)));
  EXPECT_NE(text.find(R"("a\u003cb\u003e\u0026\"\\\n\u2028cé")"), std::string::npos) << text;
  const auto parsed = parse_payload(as_bytes(text));
  ASSERT_TRUE(parsed) << why(parsed);
  EXPECT_EQ(parsed->docker_reference, payload.docker_reference);
}

TEST(Payload, RefusesWhatIsNoSuchDocument) {
  const Json good = *parse_json(golden("image/first.payload.json"));
  const auto parse = [](const Json& json) { return parse_payload(as_bytes(to_text(json))); };
  ASSERT_TRUE(parse(good));
  const auto changed = [&](const char* pointer, const Json& value) {
    Json bad = good;
    bad[Json::json_pointer(pointer)] = value;
    return kind_of(parse(bad));
  };
  EXPECT_EQ(changed("/critical/type", "atomic container signature"), ErrorKind::malformed);
  EXPECT_EQ(changed("/critical/type", nullptr), ErrorKind::malformed);
  EXPECT_EQ(changed("/critical/image/docker-manifest-digest", "sha256:12"), ErrorKind::malformed);
  EXPECT_EQ(changed("/critical/image", nullptr), ErrorKind::malformed);
  EXPECT_EQ(changed("/critical/identity", 3), ErrorKind::malformed);
  EXPECT_EQ(changed("/critical/identity/docker-reference", Json::array()), ErrorKind::malformed);
  EXPECT_EQ(changed("/critical", nullptr), ErrorKind::malformed);

  // Readers differ in which of two equal keys they believe.
  std::string twice = golden_text("image/first.payload.json");
  twice.insert(twice.find("\"type\""), "\"type\":\"other\",");
  EXPECT_EQ(kind_of(parse_payload(as_bytes(twice))), ErrorKind::malformed);
  EXPECT_EQ(kind_of(parse_payload(as_bytes(golden_text("image/first.payload.json") + "{}"))),
            ErrorKind::malformed);
  EXPECT_EQ(kind_of(parse_payload(as_bytes(std::string(kMaxPayloadSize + 1, ' ')))),
            ErrorKind::limit);
  EXPECT_EQ(kind_of(parse_payload({})), ErrorKind::malformed);
}

TEST(SignatureImage, IsCosignsToTheByte) {
  const std::string manifest = golden_text("image/one.manifest.json");
  const auto layers = parse_signature_manifest(as_bytes(manifest));
  ASSERT_TRUE(layers) << why(layers);
  ASSERT_EQ(layers->size(), 1U);
  const auto signature = crypto::decode_base64(layers->front().signature_base64);
  ASSERT_TRUE(signature);
  const SignatureImage image = wrap_signature(golden("image/first.payload.json"), *signature);
  EXPECT_EQ(as_text(image.config), golden_text("image/one.config.json"));
  EXPECT_EQ(as_text(image.manifest), manifest);
}

TEST(SignatureImage, ListsTheSignaturesInOrder) {
  const auto layers = parse_signature_manifest(golden("image/two.manifest.json"));
  ASSERT_TRUE(layers) << why(layers);
  ASSERT_EQ(layers->size(), 2U);
  const char* const files[] = {"image/first.payload.json", "image/second.payload.json"};
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ((*layers)[i].payload, crypto::sha256(golden(files[i])));
    EXPECT_EQ((*layers)[i].size, golden(files[i]).size());
  }
}

TEST(SignatureImage, HoldsWhatWasSigned) {
  const PrivateKey key = generate_key();
  const SigningPayload payload{"registry.example/app:1", crypto::sha256(as_bytes("manifest"))};
  const auto image = make_signature_image(payload, key);
  ASSERT_TRUE(image) << why(image);
  const auto layers = parse_signature_manifest(image->manifest);
  ASSERT_TRUE(layers) << why(layers);
  ASSERT_EQ(layers->size(), 1U);
  EXPECT_EQ(layers->front().payload, crypto::sha256(image->payload));
  EXPECT_EQ(layers->front().size, image->payload.size());
  EXPECT_TRUE(key.public_key().verify(image->payload,
                                      *crypto::decode_base64(layers->front().signature_base64)));
  EXPECT_EQ(kind_of(make_signature_image({"not a name", payload.manifest}, key)),
            ErrorKind::invalid_argument);
  EXPECT_TRUE(make_signature_image({"", payload.manifest}, key));
}

TEST(SignatureImage, IsTaggedByTheManifest) {
  EXPECT_EQ(signature_tag(crypto::sha256({})),
            "sha256-e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855.sig");
}

TEST(SignatureImage, PassesOverLayersOfOthers) {
  const Json good = *parse_json(golden("image/two.manifest.json"));
  const auto count = [](const Json& json) {
    const auto layers = parse_signature_manifest(as_bytes(to_text(json)));
    EXPECT_TRUE(layers) << why(layers);
    return layers ? layers->size() : 99;
  };
  EXPECT_EQ(count(good), 2U);
  Json other = good;
  other["layers"][0]["mediaType"] = "application/vnd.example.sbom+json";
  EXPECT_EQ(count(other), 1U);
  other = good;
  other["layers"][0]["annotations"].erase(std::string(kSignatureAnnotation));
  EXPECT_EQ(count(other), 1U);
  other["layers"][1].erase("annotations");
  EXPECT_EQ(count(other), 0U);
}

TEST(SignatureImage, RefusesDamageAndExcess) {
  const Json good = *parse_json(golden("image/one.manifest.json"));
  const auto parse = [](const Json& json) {
    return parse_signature_manifest(as_bytes(to_text(json)));
  };
  ASSERT_TRUE(parse(good));
  const auto changed = [&](const char* pointer, const Json& value) {
    Json bad = good;
    bad[Json::json_pointer(pointer)] = value;
    return kind_of(parse(bad));
  };
  EXPECT_EQ(changed("/schemaVersion", 1), ErrorKind::unsupported);
  EXPECT_EQ(changed("/mediaType", "application/vnd.oci.image.index.v1+json"),
            ErrorKind::unsupported);
  EXPECT_EQ(changed("/layers", nullptr), ErrorKind::malformed);

  // A bad signature is skipped, and the one after it is found.
  const Json two = *parse_json(golden("image/two.manifest.json"));
  const auto rest = [&](const char* pointer, const Json& value) {
    Json bad = two;
    bad[Json::json_pointer(pointer)] = value;
    const auto layers = parse(bad);
    return layers && layers->size() == 1 &&
           layers->front().payload == crypto::sha256(golden("image/second.payload.json"));
  };
  EXPECT_TRUE(rest("/layers/0", "x"));
  EXPECT_TRUE(rest("/layers/0/digest", "sha256:zz"));
  EXPECT_TRUE(rest("/layers/0/digest", nullptr));
  EXPECT_TRUE(rest("/layers/0/size", -5));
  EXPECT_TRUE(rest("/layers/0/size", kMaxPayloadSize + 1));
  EXPECT_TRUE(rest("/layers/0/annotations", 1));
  EXPECT_TRUE(rest("/layers/0/annotations/dev.cosignproject.cosign~1signature",
                   std::string(kMaxSignatureText + 1, 'A')));

  Json many = good;
  while (many["layers"].size() < kMaxSignatures) many["layers"].push_back(many["layers"][0]);
  EXPECT_TRUE(parse(many));
  many["layers"].push_back(many["layers"][0]);
  EXPECT_EQ(kind_of(parse(many)), ErrorKind::limit);
}

}  // namespace
}  // namespace intact::sign
