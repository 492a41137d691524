#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/base/text.h>

namespace intact {
namespace {

using testing::ElementsAre;

TEST(Text, PartsAreOneMoreThanSeparators) {
  EXPECT_THAT(split("a,b", ','), ElementsAre("a", "b"));
  EXPECT_THAT(split("a", ','), ElementsAre("a"));
  EXPECT_THAT(split("", ','), ElementsAre(""));
  EXPECT_THAT(split(",a,,b,", ','), ElementsAre("", "a", "", "b", ""));
}

TEST(Text, TakesPartByPart) {
  std::string_view rest = "user:x:0";
  EXPECT_EQ(take_until(rest, ':'), "user");
  EXPECT_EQ(rest, "x:0");
  EXPECT_EQ(take_until(rest, ':'), "x");
  EXPECT_EQ(take_until(rest, ':'), "0");
  EXPECT_EQ(rest, "");
  EXPECT_EQ(take_until(rest, ':'), "");
}

TEST(Text, ParsesANumberThatIsAllOfIt) {
  EXPECT_EQ(whole_number("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(whole_number("007"), 7U);
  EXPECT_EQ(whole_number<std::uint32_t>("755", 8), 0755U);
  EXPECT_EQ(whole_number<int>("-3"), -3);
  for (const char* const text : {"", "-1", "+1", " 1", "1 ", "0x10", "18446744073709551616"})
    EXPECT_EQ(whole_number(text), std::nullopt) << text;
  EXPECT_EQ(whole_number<std::uint32_t>("4294967296"), std::nullopt);
  EXPECT_EQ(whole_number("8", 8), std::nullopt);
}

TEST(Text, TakesANumberOffTheFront) {
  std::string_view rest = "12 34";
  EXPECT_EQ(take_number(rest), 12U);
  EXPECT_EQ(rest, " 34");
  EXPECT_EQ(take_number(rest), std::nullopt);
  EXPECT_EQ(rest, " 34");
  rest = "256";
  EXPECT_EQ(take_number<std::uint8_t>(rest), std::nullopt);
  EXPECT_EQ(rest, "256");
}

TEST(Text, PutsBackslashesBeforeSpecialCharacters) {
  EXPECT_EQ(backslashed("a:b,c\\d", ":,"), "a\\:b\\,c\\\\d");
  EXPECT_EQ(backslashed("a:b", ","), "a:b");
}

TEST(Text, CountsThings) {
  EXPECT_EQ(counted(0, "block"), "0 blocks");
  EXPECT_EQ(counted(1, "block"), "1 block");
}

}  // namespace
}  // namespace intact
