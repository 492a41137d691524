#include <array>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/run/user.h>

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

TEST(FindUser, NameGoesBeforeNumber) {
  EXPECT_EQ(find_user("1000", kPasswd, kGroup)->uid, 77u);
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
  constexpr std::array<std::string_view, 8> kSpecs = {
      "web:", ":web", ":", "a:b:c", "2147483648", "99999999999", "web:2147483648", {"w\0b", 3}};
  for (const std::string_view spec : kSpecs)
    EXPECT_EQ(find_user(spec, kPasswd, kGroup).error().kind(), ErrorKind::invalid_argument) << spec;
  EXPECT_TRUE(find_user("2147483647:2147483647", kPasswd, kGroup));
  EXPECT_FALSE(find_user("-1", kPasswd, kGroup));
  EXPECT_FALSE(find_user("+1", kPasswd, kGroup));
}

TEST(FindUser, HostileLinesNameNobody) {
  for (const std::string_view line :
       {"eve:x:0", "eve:x::0::/:", "eve:x:-1:0::/:", "eve:x:4294967296:0::/:", "eve:x:0x0:0::/:",
        "eve:x: 0:0::/:", "eve:x:0:0::/:/bin/sh:more", "#eve:x:0:0::/:", "+eve::::::", "::0:0::/:"})
    EXPECT_EQ(find_user("eve", line, "").error().kind(), ErrorKind::not_found) << line;
  EXPECT_EQ(find_user("eve", "eve:x:5:6::/:", "")->uid, 5u);
}

TEST(FindUser, HostileHomesAreRoot) {
  EXPECT_EQ(find_user("eve", "eve:x:5:6::relative:", "")->home, "/");
  EXPECT_EQ(find_user("eve", std::string_view("eve:x:5:6::/a\0b:", 17), "")->home, "/");
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
