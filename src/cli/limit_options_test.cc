#include "limit_options.h"

#include <gtest/gtest.h>

namespace intact::cli {
namespace {

/// The limits that the arguments make; nothing when they are refused.
std::optional<image::UnpackLimits> parse(std::vector<std::string> arguments) {
  CLI::App command;
  const LimitOptions options(&command);
  try {
    std::reverse(arguments.begin(), arguments.end());
    command.parse(arguments);
  } catch (const CLI::ParseError&) {
    return std::nullopt;
  }
  return options.limits();
}

TEST(LimitOptions, TakeNumbersAndSizesWithUnits) {
  const auto limits = parse({"--max-entries", "10", "--max-layer", "3G", "--max-metadata=512"});
  ASSERT_TRUE(limits);
  EXPECT_EQ(limits->layers.entries, 10u);
  EXPECT_EQ(limits->decompress.output_bytes, 3ull << 30);
  EXPECT_EQ(limits->layers.metadata_bytes, 512u);
  EXPECT_EQ(limits->decompress.ratio, image::UnpackLimits().decompress.ratio);
}

TEST(LimitOptions, TheTarReaderFollows) {
  const auto limits = parse({"--max-entries=10", "--max-layer=3G"});
  ASSERT_TRUE(limits);
  EXPECT_EQ(limits->layers.tar.headers, 40u);
  EXPECT_EQ(limits->layers.tar.stream_bytes, 3ull << 30);
}

TEST(LimitOptions, RefuseWhatIsNoNumberOrDoesNotFit) {
  for (const char* argument :
       {"--max-entries=-1", "--max-entries=", "--max-entries=1K", "--max-entries=0x10",
        "--max-layer=-5", "--max-layer=5Q", "--max-layer=5GG", "--max-layer=G",
        "--max-layer=18446744073709551616", "--max-layer=16777216T", "--max-id=4294967295",
        "--max-xattr-size=32K", "--max-xattrs=4294967296"})
    EXPECT_FALSE(parse({argument})) << argument;
  for (const char* argument :
       {"--max-entries=1", "--max-layer=18446744073709551615", "--max-layer=16777215T",
        "--max-id=4294967294", "--max-xattr-size=31K", "--max-xattrs=4294967295"})
    EXPECT_TRUE(parse({argument})) << argument;
}

}  // namespace
}  // namespace intact::cli
