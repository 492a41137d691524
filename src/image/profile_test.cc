#include "profile.h"

#include <gtest/gtest.h>

#include <intact/image/labels.h>
#include <intact/json/json.h>

namespace intact::image {
namespace {

const Digest kDigest(HashAlgorithm::sha256, Bytes(32, std::byte{7}));

oci::ImageConfig config_with(const std::map<std::string, std::string>& labels) {
  const Json json{{"architecture", "amd64"},
                  {"os", "linux"},
                  {"config", {{"Labels", labels}}},
                  {"rootfs", {{"type", "layers"}, {"diff_ids", Json::array()}}}};
  return oci::parse_config(as_bytes(to_text(json))).value();
}

std::map<std::string, std::string> labels(const std::string& format, const std::string& digest) {
  return {{std::string(kFormatLabel), format}, {std::string(kDigestLabel), digest}};
}

TEST(Profiles, AreFoundByTheirFormat) {
  for (const Profile* profile : profiles()) {
    const auto found = find_profile(profile->format());
    ASSERT_TRUE(found);
    EXPECT_EQ(*found, profile);
    // What the labels say comes back, and so does what is written.
    const ImageId id{std::string(profile->format()), kDigest};
    EXPECT_EQ(sealed_image(config_with(labels(id.format, kDigest.to_string()))).value(), id);
    const auto encoded = encode_sealed(config_with({}), id);
    ASSERT_TRUE(encoded);
    EXPECT_EQ(sealed_image(oci::parse_config(*encoded).value()).value(), id);
  }
  EXPECT_TRUE(find_profile(store::kFirstFormat)) << "old records name no format";
  const auto unknown = find_profile("later-1");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().kind(), ErrorKind::unsupported);
  EXPECT_EQ(unknown.error().message(),
            "the image is sealed in the format 'later-1'; this version knows composefs-1");
}

TEST(Labels, ThatAreMissingOrContradictEachOtherAreRefused) {
  EXPECT_FALSE(sealed_image(config_with({})).value().has_value());
  const std::string digest = kDigest.to_string();
  const auto kind_of = [](const std::map<std::string, std::string>& given) {
    const auto sealed = sealed_image(config_with(given));
    EXPECT_FALSE(sealed);
    return sealed.error().kind();
  };
  EXPECT_EQ(kind_of({{std::string(kDigestLabel), digest}}), ErrorKind::malformed);
  EXPECT_EQ(kind_of({{std::string(kFormatLabel), "composefs-1"}}), ErrorKind::malformed);
  EXPECT_EQ(kind_of(labels("later-1", digest)), ErrorKind::unsupported);
  EXPECT_EQ(kind_of(labels("composefs-1", "sha256:1")), ErrorKind::malformed);
  EXPECT_EQ(kind_of(labels("composefs-1", "sha512:" + std::string(128, 'a'))),
            ErrorKind::unsupported);
  auto both = labels("composefs-1", digest);
  both["containers.composefs.fsverity"] = std::string(64, 'f');
  EXPECT_EQ(kind_of(both), ErrorKind::malformed);
  both["containers.composefs.fsverity"] = kDigest.hex();
  EXPECT_TRUE(sealed_image(config_with(both)).value().has_value());
}

}  // namespace
}  // namespace intact::image
