#include <string>

#include <gtest/gtest.h>

#include <intact/composefs/scan.h>
#include <intact/composefs/write.h>
#include <intact/fsverity/tree.h>

#include "testing.h"

namespace intact::composefs {
namespace {

const std::string kRoot = "/ 0 40755 2 0 0 0 0.0 - - -\n";
constexpr WriteOptions kFormatOne{.min_version = 1, .max_version = 1};

std::string sha256_of(const Bytes& image) {
  return fsverity::digest_of(image).hex();
}

/// The first 16 digits, which is what is written down of the long ones.
std::string sha512_of(const Bytes& image) {
  return fsverity::digest_of(image, {.algorithm = HashAlgorithm::sha512}).hex().substr(0, 16);
}

// The values are composefs-rs 0.9's, for its layout V1, which is this one.
TEST(Sha512Images, DigestsOfComposefsRs) {
  const Bytes empty = test::image_of(kRoot, kFormatOne);
  EXPECT_EQ(sha256_of(empty), "14a26c957c84f6eb774b91205476adc13196c7c33b9dd97d08d43725ecb90b63");
  EXPECT_EQ(sha512_of(empty), "ee192e5a91c70428");

  const std::string at = " 0 0 0 1234567890.0 ";
  const Bytes links = test::image_of(
      "/ 0 40755 3" + at + "- - -\n/hello-link.txt 22 @100644 2" + at +
          "/hello.txt - -\n/hello.txt 22 100644 2" + at +
          "- hello\\x20from\\x20test\\x20layer\\n -\n/usr 0 40755 2" + at + "- - -\n",
      kFormatOne);
  EXPECT_EQ(sha256_of(links), "ca4c0cedfe7cf4e19090b65126e5b2ccc2e7fb4eef2af2a1bcdebe7488d5790b");
  EXPECT_EQ(sha512_of(links), "d06f1f6a73f62ed4");
}

TEST(Sha512Images, ObjectsOfSha512) {
  auto tree = test::parse(kRoot + "/f 65 100644 1 0 0 0 0.0 - - -\n", false);
  ASSERT_TRUE(tree);
  std::string hex;
  for (int i = 0; i < 8; ++i) hex += "0123456789abcdef";
  tree::Inode& file = *tree->find("/f");
  file.digest = Digest::parse_hex(hex).value();
  file.payload = object_path(*file.digest);
  EXPECT_EQ(file.payload, "01/" + hex.substr(2));
  const auto image = write_image(*tree, kFormatOne);
  ASSERT_TRUE(image);
  EXPECT_EQ(sha512_of(*image), "093275673591e332");

  const auto objects = list_objects(test::source_of(*image));
  ASSERT_TRUE(objects);
  ASSERT_EQ(objects->size(), 1u);
  EXPECT_EQ(objects->front().digest, *file.digest);
  EXPECT_EQ(objects->front().payload, file.payload);
}

}  // namespace
}  // namespace intact::composefs
