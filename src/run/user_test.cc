#include <array>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/run/bundle.h>

namespace intact::run {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::string_view kPasswd =
    "root:x:0:0:root:/root:/bin/sh\n"
    "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
    "web:x:33:34::/srv/web:/bin/false\n"
    "1000:x:77:77:a name that is a number:/n:/bin/sh\n";
constexpr std::string_view kGroup =
    "root:x:0:\n"
    "web:x:34:web\n"
    "adm:x:4:syslog,web\n"
    "video:x:44:web,web\n"
    "webby:x:45:webx\n"
    "disk:x:6:daemon\n";

TEST(FindUser, EmptyIsRoot) {
  const auto user = find_user("", kPasswd, kGroup);
  ASSERT_TRUE(user);
  EXPECT_EQ(user->uid, 0u);
  EXPECT_EQ(user->home, "/root");
  EXPECT_THAT(user->groups, IsEmpty());
  EXPECT_EQ(find_user("", "", "")->home, "/");
}

TEST(FindUser, NameGivesGroupHomeAndSupplementaryGroups) {
  const auto user = find_user("web", kPasswd, kGroup);
  ASSERT_TRUE(user);
  EXPECT_EQ(user->uid, 33u);
  EXPECT_EQ(user->gid, 34u);
  EXPECT_EQ(user->home, "/srv/web");
  EXPECT_THAT(user->groups, ElementsAre(4, 44));
}

TEST(FindUser, NumberIsLookedUpToo) {
  const auto user = find_user("33", kPasswd, kGroup);
  EXPECT_EQ(user->gid, 34u);
  EXPECT_THAT(user->groups, ElementsAre(4, 44));
}

TEST(FindUser, UnknownNumberIsTakenAsItIs) {
  const auto user = find_user("65534", kPasswd, kGroup);
  EXPECT_EQ(user->uid, 65534u);
  EXPECT_EQ(user->gid, 0u);
  EXPECT_EQ(user->home, "/");
}

TEST(FindUser, DigitsAreNeverAName) {
  constexpr std::string_view kRoots = "1000:x:0:0::/root:\n4294967296:x:0:0::/:\n01000:x:0:0::/:\n";
  EXPECT_EQ(find_user("1000", kRoots, "")->uid, 1000u);
  EXPECT_EQ(find_user("1000", kRoots, "")->home, "/");
  EXPECT_EQ(find_user("01000", kRoots, "")->uid, 1000u);
  EXPECT_EQ(find_user("4294967296", kRoots, "").error().kind(), ErrorKind::invalid_argument);
  EXPECT_EQ(find_user("5:1000", kPasswd, "1000:x:0:\n")->gid, 1000u);
  EXPECT_EQ(find_user("5:4294967296", kPasswd, "4294967296:x:0:\n").error().kind(),
            ErrorKind::invalid_argument);
  // The entry with that name is still found by its own number.
  EXPECT_EQ(find_user("77", kPasswd, kGroup)->home, "/n");
}

TEST(FindUser, EmptyPartsAreDefaults) {
  const auto user = find_user("33:", kPasswd, kGroup);
  EXPECT_EQ(user->uid, 33u);
  EXPECT_EQ(user->gid, 34u);
  EXPECT_THAT(user->groups, ElementsAre(4, 44));
  EXPECT_EQ(find_user(":1000", kPasswd, kGroup)->uid, 0u);
  EXPECT_EQ(find_user(":1000", kPasswd, kGroup)->gid, 1000u);
  EXPECT_EQ(find_user(":", kPasswd, kGroup)->uid, 0u);
}

TEST(FindUser, ExplicitGroupMeansNoOthers) {
  const auto named = find_user("web:disk", kPasswd, kGroup);
  EXPECT_EQ(named->gid, 6u);
  EXPECT_THAT(named->groups, IsEmpty());
  EXPECT_EQ(find_user("web:4242", kPasswd, kGroup)->gid, 4242u);
}

TEST(FindUser, UnknownNamesAreNotFound) {
  EXPECT_EQ(find_user("nobodyhere", kPasswd, kGroup).error().kind(), ErrorKind::not_found);
  EXPECT_EQ(find_user("web:nogroup", kPasswd, kGroup).error().kind(), ErrorKind::not_found);
}

TEST(FindUser, RefusesForms) {
  constexpr std::array<std::string_view, 5> kSpecs = {
      "a:b:c", "2147483648", "99999999999", "web:2147483648", {"w\0b", 3}};
  for (const std::string_view spec : kSpecs)
    EXPECT_EQ(find_user(spec, kPasswd, kGroup).error().kind(), ErrorKind::invalid_argument) << spec;
  EXPECT_TRUE(find_user("2147483647:2147483647", kPasswd, kGroup));
  EXPECT_FALSE(find_user("-1", kPasswd, kGroup));
  EXPECT_FALSE(find_user("+1", kPasswd, kGroup));
}

TEST(FindUser, HostileLinesNameNobody) {
  for (const std::string_view line :
       {"eve:x:0", "eve:x::0::/:", "eve:x:-1:0::/:", "eve:x:4294967296:0::/:", "eve:x:0x0:0::/:",
        "#eve:x:0:0::/:", "+eve::::::", "::0:0::/:"})
    EXPECT_EQ(find_user("eve", line, "").error().kind(), ErrorKind::not_found) << line;
  EXPECT_EQ(find_user("eve", "eve:x:5:6::/:", "")->uid, 5u);
  EXPECT_FALSE(find_user("+eve", "+eve:x:0:0::/:", ""));
  EXPECT_EQ(find_user("0", "+:x:0:9::/:\n-:x:0:9::/:\n", "")->gid, 0u);
}

TEST(FindUser, ShortAndLongLinesAreThoseOfGlibc) {
  for (const std::string_view line : {"eve:x:5:6", "eve:x:5:6:", "eve::5:6:gecos",
                                      " \teve:x: 5:6::/:", "eve:x:5:6::/h:/bin/sh:more"})
    EXPECT_EQ(find_user("eve", line, "")->uid, 5u) << line;
  EXPECT_EQ(find_user("eve", "eve:x:5:6", "")->home, "/");
  EXPECT_EQ(find_user("eve:g", "eve:x:5:6", "g:x:7")->gid, 7u);
  EXPECT_FALSE(find_user("eve:g", "eve:x:5:6", "g:x"));
  EXPECT_THAT(find_user("eve", "eve:x:5:6", "a:x:8: eve\nb:x:9:bob, eve\nc:x:10:eve:z\n")->groups,
              ElementsAre(8, 9));
}

TEST(FindUser, HostileHomesAreRoot) {
  EXPECT_EQ(find_user("eve", "eve:x:5:6::relative:", "")->home, "/");
  // glibc's lines end at a NUL.
  EXPECT_EQ(find_user("eve", std::string_view("eve:x:5:6::/a\0b:", 17), "")->home, "/a");
}

TEST(FindUser, FirstLineWins) {
  EXPECT_EQ(find_user("a", "a:x:5:5::/:\na:x:0:0::/:\n", "")->uid, 5u);
}

TEST(FindUser, GroupsAreLimited) {
  std::string group;
  for (int i = 1; i <= 1024; ++i)
    group += "g" + std::to_string(i) + ":x:" + std::to_string(i) + ":web\n";
  // 34 is the primary group and not counted.
  EXPECT_TRUE(find_user("web", kPasswd, group));
  group += "more:x:5000:web\nmore2:x:5001:web\n";
  EXPECT_EQ(find_user("web", kPasswd, group).error().kind(), ErrorKind::limit);
}

}  // namespace
}  // namespace intact::run
