#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/fsverity/measure.h>

namespace intact::fsverity {
namespace {

using testing::HasSubstr;

TEST(ParseParams, TakesNamesAndNumbers) {
  const auto params = parse_params("sha512", "1024", "0aFF");
  ASSERT_TRUE(params) << params.error().message();
  EXPECT_EQ(params->algorithm, HashAlgorithm::sha512);
  EXPECT_EQ(params->block_size, 1024u);
  EXPECT_EQ(params->salt, *from_hex("0aff"));
  EXPECT_EQ(parse_params("1", "4096", "")->algorithm, HashAlgorithm::sha256);
  EXPECT_EQ(parse_params("2", "4096", "")->algorithm, HashAlgorithm::sha512);
}

TEST(ParseParams, RefusesWhatFsverityRefuses) {
  const auto refused = [](std::string_view algorithm, std::string_view size, std::string_view salt,
                          const char* said) {
    const auto params = parse_params(algorithm, size, salt);
    ASSERT_FALSE(params) << said;
    EXPECT_EQ(params.error().kind(), ErrorKind::invalid_argument);
    EXPECT_THAT(params.error().message(), HasSubstr(said));
  };
  for (const char* const name : {"md5", "", "3", "SHA256", "01"})
    refused(name, "4096", "", "use sha256 or sha512");
  for (const char* const size : {"0x1000", "", "-1", "4k", " 4096", "4294967296"})
    refused("sha256", size, "", "is not a number of bytes");
  refused("sha256", "1000", "", "block size");
  refused("sha256", "4096", "0a0", "salt '0a0' is not a hexadecimal string");
  refused("sha256", "4096", std::string(66, '0'), "salt");
}

}  // namespace
}  // namespace intact::fsverity
