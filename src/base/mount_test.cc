#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <intact/base/mount.h>

namespace intact {
namespace {

TEST(MountTable, ReadsNamesOptionsAndAnyNumberOfPropagationFields) {
  const auto entries = parse_mount_table(
      "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:7 - ext3 /dev/root rw,errors=continue\n"
      "57 36 0:51 / /tmp/with\\040blank\\134and\\012line ro,nosuid - fuse.intact app:1 "
      "ro,user_id=0\n");
  ASSERT_TRUE(entries) << entries.error().message();
  ASSERT_EQ(entries->size(), 2u);
  EXPECT_EQ((*entries)[0].id, 36);
  EXPECT_EQ((*entries)[0].mountpoint, "/mnt2");
  EXPECT_EQ((*entries)[0].type, "ext3");
  EXPECT_FALSE((*entries)[0].is_fuse());
  EXPECT_EQ((*entries)[1].mountpoint, "/tmp/with blank\\and\nline");
  EXPECT_EQ((*entries)[1].device, "0:51");
  EXPECT_EQ((*entries)[1].source, "app:1");
  EXPECT_EQ((*entries)[1].super_options, "ro,user_id=0");
  EXPECT_TRUE((*entries)[1].is_fuse());
}

TEST(MountTable, RefusesWhatIsNotOne) {
  for (const char* text : {"x", "36 35 98:0 / /mnt rw", "36 35 98:0 / /mnt rw - ", "- - - - - - -",
                           "3x 35 98:0 / /mnt rw - ext3 x rw"})
    EXPECT_FALSE(parse_mount_table(text)) << text;
  EXPECT_TRUE(parse_mount_table(""));
}

TEST(MountTable, TellsWhoseServerMayBeAsked) {
  MountEntry entry;
  entry.type = "fuse.intact";
  entry.super_options = fmt::format("rw,user_id={},group_id=0,allow_other", ::geteuid());
  EXPECT_EQ(entry.fuse_user(), ::geteuid());
  EXPECT_TRUE(entry.may_be_asked());
  entry.super_options = "rw,user_id=0,group_id=0";
  EXPECT_TRUE(entry.may_be_asked());
  entry.super_options = fmt::format("rw,user_id={},group_id=0", ::geteuid() + 12345);
  EXPECT_EQ(entry.fuse_user(), ::geteuid() + 12345);
  EXPECT_FALSE(entry.may_be_asked());
  // The user must be known.
  for (const char* options : {"rw", "rw,group_id=0", "rw,not_user_id=0", "rw,user_id=x"}) {
    entry.super_options = options;
    EXPECT_FALSE(entry.fuse_user()) << options;
    EXPECT_FALSE(entry.may_be_asked()) << options;
  }
  entry.type = "ext4";
  EXPECT_FALSE(entry.fuse_user());
  EXPECT_TRUE(entry.may_be_asked());
}

}  // namespace
}  // namespace intact
