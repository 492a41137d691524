#include <gtest/gtest.h>

#include <intact/serve/mounts.h>

#include "node_numbers.h"

namespace intact::serve {
namespace {

TEST(FindMount, FindsTheMountOfItsRootOnly) {
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

}  // namespace
}  // namespace intact::serve
