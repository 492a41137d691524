#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/base/split.h>

namespace intact {
namespace {

using testing::ElementsAre;

TEST(Split, PartsAreOneMoreThanSeparators) {
  EXPECT_THAT(split("a,b", ','), ElementsAre("a", "b"));
  EXPECT_THAT(split("a", ','), ElementsAre("a"));
  EXPECT_THAT(split("", ','), ElementsAre(""));
  EXPECT_THAT(split(",a,,b,", ','), ElementsAre("", "a", "", "b", ""));
}

TEST(Split, TakesPartByPart) {
  std::string_view rest = "user:x:0";
  EXPECT_EQ(take_until(rest, ':'), "user");
  EXPECT_EQ(rest, "x:0");
  EXPECT_EQ(take_until(rest, ':'), "x");
  EXPECT_EQ(take_until(rest, ':'), "0");
  EXPECT_EQ(rest, "");
  EXPECT_EQ(take_until(rest, ':'), "");
}

}  // namespace
}  // namespace intact
