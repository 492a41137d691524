#include <fmt/format.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <intact/serve/mounts.h>

#include "node_numbers.h"

namespace intact::serve {
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

TEST(MountTable, FindsTheMountOfItsRootOnly) {
  const auto proc = find_mount("/proc");
  ASSERT_TRUE(proc) << proc.error().message();
  ASSERT_TRUE(*proc);
  EXPECT_EQ((*proc)->type, "proc");
  const auto below = find_mount("/proc/self");
  ASSERT_TRUE(below) << below.error().message();
  EXPECT_FALSE(*below);
  const auto missing = find_mount("/nonexistent");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind(), ErrorKind::not_found);
}

TEST(NodeNumbers, GiveEveryNodeItsOwnNumberAndBack) {
  constexpr std::uint64_t kNodes[] = {0, 1, 2, 3, 36, UINT64_MAX - 1};
  for (const std::uint64_t root : kNodes) {
    const NodeNumbers numbers{tree::NodeId(root)};
    EXPECT_EQ(numbers.inode(tree::NodeId(root)), 1u) << root;
    for (const std::uint64_t node : kNodes) {
      const std::uint64_t inode = numbers.inode(tree::NodeId(node));
      EXPECT_NE(inode, 0u) << root << " " << node;
      EXPECT_EQ(numbers.node(inode), tree::NodeId(node)) << root << " " << node;
    }
  }
}

TEST(MountTable, TellsWhoseServerMayBeAsked) {
  MountEntry entry;
  entry.type = "fuse.intact";
  entry.super_options = fmt::format("rw,user_id={},group_id=0,allow_other", ::geteuid());
  EXPECT_EQ(entry.user(), ::geteuid());
  EXPECT_TRUE(entry.may_be_asked());
  entry.super_options = "rw,user_id=0,group_id=0";
  EXPECT_TRUE(entry.may_be_asked());
  entry.super_options = fmt::format("rw,user_id={},group_id=0", ::geteuid() + 12345);
  EXPECT_EQ(entry.user(), ::geteuid() + 12345);
  EXPECT_FALSE(entry.may_be_asked());
}

}  // namespace
}  // namespace intact::serve
