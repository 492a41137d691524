#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/tree/tree.h>

namespace intact::tree {
namespace {

using testing::ElementsAre;

InodePtr make_inode(std::uint32_t mode) {
  auto inode = std::make_shared<Inode>();
  inode->attributes.mode = mode;
  return inode;
}

InodePtr make_file() {
  return make_inode(S_IFREG | 0644);
}

InodePtr make_directory() {
  return make_inode(S_IFDIR | 0755);
}

/// Adds a name, or replaces what has it.
InodePtr put(Inode& directory, const std::string& name, InodePtr inode) {
  directory.entries[name] = {.inode = inode};
  return inode;
}

std::vector<std::string> paths_of(const Tree& tree) {
  std::vector<std::string> paths;
  const auto walked = tree.walk([&](const std::string& path, const Entry&) -> Result<void> {
    paths.push_back(path);
    return {};
  });
  EXPECT_TRUE(walked);
  return paths;
}

TEST(Tree, BeginsWithARootThatHasDefaults) {
  const Tree tree;
  EXPECT_EQ(tree.root().attributes.mode, static_cast<std::uint32_t>(S_IFDIR | 0755));
  EXPECT_EQ(tree.root().attributes.nlink, 2u);
  EXPECT_EQ(tree.root().attributes.uid, 0u);
  EXPECT_EQ(tree.root().attributes.mtime, Timestamp{});
  EXPECT_EQ(tree.find("/"), tree.root_ptr());
  EXPECT_EQ(tree.find(""), tree.root_ptr());
  EXPECT_THAT(paths_of(tree), ElementsAre("/"));
}

TEST(Tree, IsWalkedParentsFirstInByteOrder) {
  Tree tree;
  const auto usr = put(tree.root(), "usr", make_directory());
  put(*usr, "lib", make_directory());
  put(*usr, "lib-2", make_file());
  put(*usr->entries["lib"].inode, "z", make_file());
  put(tree.root(), "etc", make_directory());
  put(tree.root(), "\xff", make_file());
  put(tree.root(), "A", make_file());
  EXPECT_THAT(paths_of(tree), ElementsAre("/", "/A", "/etc", "/usr", "/usr/lib", "/usr/lib/z",
                                          "/usr/lib-2", "/\xff"));
}

TEST(Tree, AWalkStopsAtTheFirstError) {
  Tree tree;
  put(tree.root(), "a", make_file());
  put(tree.root(), "b", make_file());
  std::vector<std::string> paths;
  const auto walked = tree.walk([&](const std::string& path, const Entry&) -> Result<void> {
    paths.push_back(path);
    if (path == "/a") return Error(ErrorKind::limit, "enough");
    return {};
  });
  ASSERT_FALSE(walked);
  EXPECT_EQ(walked.error().kind(), ErrorKind::limit);
  EXPECT_EQ(walked.error().message(), "enough");
  EXPECT_THAT(paths, ElementsAre("/", "/a"));
}

TEST(Tree, ReplacingADirectoryByAFileRemovesWhatWasInIt) {
  Tree tree;
  const auto directory = put(tree.root(), "a", make_directory());
  put(*directory, "below", make_file());
  ASSERT_TRUE(tree.find("a/below"));
  const auto file = put(tree.root(), "a", make_file());
  EXPECT_EQ(tree.find("a"), file);
  EXPECT_FALSE(tree.find("a/below"));
  EXPECT_THAT(paths_of(tree), ElementsAre("/", "/a"));
}

TEST(TreeFind, SkipsEmptyComponentsAndDots) {
  Tree tree;
  const auto directory = put(tree.root(), "a", make_directory());
  const auto file = put(*directory, "b", make_file());
  for (const char* path : {"a/b", "/a/b", "//a//b", "./a/./b", "a/b/", "/a/b/.", "a/b//"})
    EXPECT_EQ(tree.find(path), file) << path;
  for (const char* path : {"b", "a/c", "a/b/c", "a/bb", "A/b", "a b"})
    EXPECT_FALSE(tree.find(path)) << path;
}

TEST(TreeFind, DoesNotLeaveTheTree) {
  Tree tree;
  const auto directory = put(tree.root(), "a", make_directory());
  put(*directory, "b", make_file());
  for (const char* path :
       {"..", "/..", "a/..", "a/../a/b", "../a", "a/b/../b", "/../../etc/passwd"})
    EXPECT_FALSE(tree.find(path)) << path;
}

TEST(TreeFind, TakesNamesAsBytes) {
  Tree tree;
  const std::string with_nul("a\0b", 3);
  for (const std::string& name : {with_nul, std::string("..."), std::string(" "), std::string("\n"),
                                  std::string("\xc3\x28"), std::string("*")}) {
    const auto file = put(tree.root(), name, make_file());
    EXPECT_EQ(tree.find(name), file);
    EXPECT_EQ(tree.find("/" + name), file);
  }
  EXPECT_FALSE(tree.find("a"));
  EXPECT_FALSE(tree.find(std::string("a\0", 2)));
}

TEST(TreeFind, DoesNotFollowSymlinks) {
  Tree tree;
  const auto directory = put(tree.root(), "a", make_directory());
  put(*directory, "b", make_file());
  const auto link = put(tree.root(), "link", make_inode(S_IFLNK | 0777));
  link->payload = "a";
  EXPECT_EQ(tree.find("link"), link);
  EXPECT_FALSE(tree.find("link/b"));
}

TEST(TreeLinks, TheFirstPathOfAFileIsItsPrimaryName) {
  Tree tree;
  const auto directory = put(tree.root(), "b", make_directory());
  const auto file = put(*directory, "in", make_file());
  put(tree.root(), "z", file);
  put(tree.root(), "a", file);
  Inode& single = *put(tree.root(), "single", make_file());
  single.attributes.nlink = 7;  // as if it had lost other names
  tree.root().entries["single"].hard_link = true;
  tree.normalize_links();
  EXPECT_FALSE(tree.root().entries["a"].hard_link);
  EXPECT_TRUE(directory->entries["in"].hard_link);
  EXPECT_TRUE(tree.root().entries["z"].hard_link);
  EXPECT_EQ(file->attributes.nlink, 3u);
  EXPECT_FALSE(tree.root().entries["single"].hard_link);
  EXPECT_EQ(single.attributes.nlink, 1u);
}

TEST(TreeLinks, AreCountedAgainAfterAChange) {
  Tree tree;
  put(tree.root(), "a", make_file());
  put(tree.root(), "b", tree.root().entries["a"].inode);
  tree.normalize_links();
  EXPECT_TRUE(tree.root().entries["b"].hard_link);
  EXPECT_EQ(tree.find("b")->attributes.nlink, 2u);
  tree.root().entries.erase("a");
  tree.normalize_links();
  EXPECT_FALSE(tree.root().entries["b"].hard_link);
  EXPECT_EQ(tree.find("b")->attributes.nlink, 1u);
}

TEST(TreeLinks, DirectoriesCountTheirSubdirectories) {
  Tree tree;
  put(tree.root(), "file", make_file());
  put(tree.root(), "a", make_directory());
  put(tree.root(), "b", make_directory());
  put(*tree.root().entries["a"].inode, "c", make_directory());
  tree.root().entries["a"].hard_link = true;  // as no directory can be
  tree.normalize_links();
  EXPECT_EQ(tree.root().attributes.nlink, 4u);
  EXPECT_EQ(tree.find("a")->attributes.nlink, 3u);
  EXPECT_EQ(tree.find("b")->attributes.nlink, 2u);
  EXPECT_EQ(tree.find("a/c")->attributes.nlink, 2u);
  EXPECT_FALSE(tree.root().entries["a"].hard_link);
}

/// A hostile image may nest directories as deep as its limits allow; the stack must not.
TEST(Tree, DepthTakesNoStack) {
  constexpr int kDepth = 100'000;
  Tree tree;
  Inode* at = &tree.root();
  std::string path;
  for (int i = 0; i < kDepth; ++i) {
    at = put(*at, "d", make_directory()).get();
    path += "/d";
  }
  put(*at, "file", make_file());
  EXPECT_TRUE(tree.find(path + "/file"));
  EXPECT_FALSE(tree.find(path + "/d"));
  tree.normalize_links();
  EXPECT_EQ(at->attributes.nlink, 2u);
  int count = 0;
  std::size_t longest = 0;
  ASSERT_TRUE(tree.walk([&](const std::string& visited, const Entry&) -> Result<void> {
    ++count;
    longest = std::max(longest, visited.size());
    return {};
  }));
  EXPECT_EQ(count, kDepth + 2);
  EXPECT_EQ(longest, path.size() + 5);
  const Tree moved = std::move(tree);
  EXPECT_TRUE(moved.find("d/d/d"));
}

TEST(Inode, XattrsAreUnique) {
  Inode inode;
  EXPECT_EQ(inode.find_xattr("user.a"), nullptr);
  inode.set_xattr("user.a", "1");
  inode.set_xattr("user.ab", std::string_view("\0x", 2));
  inode.set_xattr("user.a", "");
  ASSERT_NE(inode.find_xattr("user.a"), nullptr);
  EXPECT_EQ(inode.find_xattr("user.a")->value, "");
  EXPECT_EQ(inode.find_xattr("user.ab")->value, std::string("\0x", 2));
  EXPECT_EQ(inode.xattrs.size(), 2u);
  EXPECT_EQ(inode.find_xattr("user."), nullptr);
}

TEST(TypeName, NamesEveryType) {
  EXPECT_EQ(type_name(S_IFREG | 0644), "regular file");
  EXPECT_EQ(type_name(S_IFDIR), "directory");
  EXPECT_EQ(type_name(S_IFLNK), "symbolic link");
  EXPECT_EQ(type_name(S_IFCHR), "character device");
  EXPECT_EQ(type_name(S_IFBLK), "block device");
  EXPECT_EQ(type_name(S_IFIFO), "FIFO");
  EXPECT_EQ(type_name(S_IFSOCK), "socket");
  EXPECT_EQ(type_name(0), "file of unknown type");
}

}  // namespace
}  // namespace intact::tree
