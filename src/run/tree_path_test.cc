#include "tree_path.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <intact/base/file.h>
#include <intact/run/bundle.h>

#include "directory_tree.h"

namespace intact::run {
namespace {

using intact::run::testing::DirectoryTree;
using ::testing::ElementsAre;
namespace fs = std::filesystem;

class TreePath : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(at("usr/bin"));
    fs::create_directories(at("var"));
    fs::create_directories(at("etc"));
    fs::create_symlink("usr/bin", at("bin"));
    fs::create_symlink("/run", at("var/run"));
    fs::create_symlink("../../../../etc", at("out"));
    fs::create_symlink("loop2", at("loop1"));
    fs::create_symlink("loop1", at("loop2"));
    write("usr/bin/tool", "tool");
    write("etc/passwd", "root:x:0:0::/root:/bin/sh\n");
  }
  std::string at(const std::string& name) const { return dir_.path(name); }
  void write(const std::string& name, std::string_view text) const {
    std::ofstream(at(name)) << text;
  }
  std::string resolved(std::string_view path, const std::set<std::string>& mounts = {}) const {
    const auto found = resolve(*tree_, path, mounts);
    return found ? found->path + (found->node ? "" : " -") + (found->below_mount ? " mount" : "")
                 : "error";
  }

  TempDir dir_ = *TempDir::create();
  std::shared_ptr<DirectoryTree> tree_ = std::make_shared<DirectoryTree>(dir_.path());
};

TEST_F(TreePath, FollowsSymlinksInsideTheRoot) {
  EXPECT_EQ(resolved("/bin/tool"), "/usr/bin/tool");
  EXPECT_EQ(resolved("bin//./tool"), "/usr/bin/tool");
  EXPECT_EQ(resolved("/"), "/");
  EXPECT_EQ(resolved("/usr/../etc/passwd"), "/etc/passwd");
}

TEST_F(TreePath, NeverLeavesTheRoot) {
  EXPECT_EQ(resolved("/../../etc/passwd"), "/etc/passwd");
  EXPECT_EQ(resolved("/out/passwd"), "/etc/passwd");
  EXPECT_EQ(resolved("/var/run/x"), "/run/x -");
}

TEST_F(TreePath, KeepsMissingComponents) {
  EXPECT_EQ(resolved("/nothing/here"), "/nothing/here -");
  EXPECT_EQ(resolved("/nothing/../etc"), "error");
  EXPECT_EQ(resolved("/etc/passwd/x"), "error");
}

TEST_F(TreePath, StopsAtMounts) {
  EXPECT_EQ(resolved("/bin/tool", {"/usr"}), "/usr/bin/tool - mount");
  EXPECT_EQ(resolved("/usr", {"/usr"}), "/usr - mount");
  EXPECT_EQ(resolved("/usr/../etc", {"/usr"}), "/etc");
  EXPECT_EQ(resolved("/usrx", {"/usr"}), "/usrx -");
}

TEST_F(TreePath, LimitsHostileInput) {
  EXPECT_EQ(resolve(*tree_, "/loop1").error().kind(), ErrorKind::limit);
  EXPECT_FALSE(resolve(*tree_, std::string(5000, 'a')));
  EXPECT_FALSE(resolve(*tree_, std::string(300, 'a')));
  EXPECT_FALSE(resolve(*tree_, std::string_view("/a\0b", 4)));
}

TEST_F(TreePath, ReadsSmallFilesOnly) {
  EXPECT_EQ(*read_text(*tree_, "/out/passwd", 100), "root:x:0:0::/root:/bin/sh\n");
  EXPECT_EQ(read_text(*tree_, "/etc/passwd", 3).error().kind(), ErrorKind::limit);
  EXPECT_EQ(read_text(*tree_, "/etc/group", 3).error().kind(), ErrorKind::not_found);
  EXPECT_EQ(read_text(*tree_, "/etc", 3).error().kind(), ErrorKind::not_found);
}

std::vector<std::string> names(const tree::FileTree& tree, tree::NodeId directory,
                               std::size_t at_a_time = 100) {
  std::vector<std::string> all;
  std::uint64_t cookie = 0;
  for (bool more = true; more;) {
    more = false;
    std::size_t count = 0;
    EXPECT_TRUE(
        tree.list(directory, cookie, [&](const tree::DirectoryEntry& e, std::uint64_t next) {
          if (count++ == at_a_time) return false;
          all.emplace_back(e.name);
          cookie = next;
          more = true;
          return true;
        }));
  }
  return all;
}

TEST_F(TreePath, MountPointsAppearWhereTheyAreMissing) {
  const auto tree = add_mount_points(
      tree_, {{"/usr/bin", true}, {"/proc", true}, {"/a/b/c", true}, {"/etc/hosts", false}});
  ASSERT_TRUE(tree);
  ASSERT_NE(tree->get(), tree_.get());
  for (const std::size_t at_a_time : {100, 1, 2})
    EXPECT_THAT(names(**tree, (*tree)->root(), at_a_time),
                ElementsAre("bin", "etc", "loop1", "loop2", "out", "usr", "var", "a", "proc"));
  const auto deep = resolve(**tree, "/a/b/c");
  ASSERT_TRUE(deep && deep->node);
  EXPECT_TRUE((*tree)->attributes(*deep->node)->is_directory());
  EXPECT_EQ((*tree)->attributes(*resolve(**tree, "/a/b")->node)->nlink, 3u);
  EXPECT_EQ(*(*tree)->parent(*resolve(**tree, "/a")->node), (*tree)->root());
  EXPECT_THAT(names(**tree, *deep->node), ElementsAre());
  EXPECT_FALSE((*tree)->lookup(*deep->node, "x"));
  const auto hosts = resolve(**tree, "/etc/hosts");
  ASSERT_TRUE(hosts && hosts->node);
  EXPECT_TRUE((*tree)->attributes(*hosts->node)->is_regular());
  EXPECT_EQ(*read_text(**tree, "/etc/hosts", 10), "");
  EXPECT_EQ(*read_text(**tree, "/bin/tool", 10), "tool");
}

TEST_F(TreePath, MountPointsOfTheWrongTypeAreRefused) {
  EXPECT_FALSE(add_mount_points(tree_, {{"/etc/passwd", true}}));
  EXPECT_FALSE(add_mount_points(tree_, {{"/etc", false}}));
  EXPECT_FALSE(add_mount_points(tree_, {{"/etc/passwd/x", true}}));
  const auto same = add_mount_points(tree_, {{"/etc", true}, {"/etc/passwd", false}});
  ASSERT_TRUE(same);
  EXPECT_EQ(same->get(), tree_.get());
}

}  // namespace
}  // namespace intact::run
