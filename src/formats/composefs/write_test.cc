#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing.h"

namespace intact::composefs {
namespace {

tree::InodePtr file(std::uint32_t mode = S_IFREG | 0644) {
  auto inode = std::make_shared<tree::Inode>();
  inode->attributes.mode = mode;
  return inode;
}

/// A tree of one file; `change` damages it.
Result<Bytes> write_with(const std::function<void(tree::Tree&, tree::Inode&)>& change,
                         std::uint32_t mode = S_IFREG | 0644) {
  tree::Tree tree;
  tree.root().entries["f"] = {file(mode)};
  change(tree, *tree.root().entries["f"].inode);
  return write_image(tree);
}

void expect_refused(ErrorKind kind, const std::function<void(tree::Tree&, tree::Inode&)>& change,
                    std::uint32_t mode = S_IFREG | 0644) {
  const auto outcome = write_with(change, mode);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind(), kind) << outcome.error().message();
}

TEST(WriteImage, WritesTheUndamagedTwins) {
  EXPECT_TRUE(write_with([](tree::Tree&, tree::Inode&) {}));
  EXPECT_TRUE(write_with([](tree::Tree&, tree::Inode& f) { f.payload = "x"; }, S_IFLNK | 0777));
  EXPECT_TRUE(write_with([](tree::Tree& tree, tree::Inode&) {
    tree.root().entries["g"] = {tree.root().entries["f"].inode, true};
  }));
  EXPECT_TRUE(write_with([](tree::Tree& tree, tree::Inode&) {
    tree.root().entries[std::string(255, 'n')] = {file()};
  }));
}

TEST(WriteImage, RefusesNamesThatNoDirectoryHolds) {
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("a/b"),
        std::string("a\0b", 3), std::string(256, 'n')})
    expect_refused(ErrorKind::invalid_argument,
                   [&](tree::Tree& tree, tree::Inode&) { tree.root().entries[name] = {file()}; });
}

TEST(WriteImage, RefusesWhatNoInodeCanBe) {
  const auto invalid = ErrorKind::invalid_argument;
  expect_refused(invalid, [](tree::Tree&, tree::Inode& f) { f.attributes.mode = 0644; });
  expect_refused(
      invalid, [](tree::Tree&, tree::Inode& f) { f.attributes.mtime.nanoseconds = 1'000'000'000; });
  expect_refused(invalid, [](tree::Tree&, tree::Inode& f) { f.entries["x"] = {file()}; });
  expect_refused(invalid, [](tree::Tree& tree, tree::Inode&) { tree.root().entries["g"] = {}; });
  expect_refused(invalid, [](tree::Tree& tree, tree::Inode&) {
    tree.root().attributes.mode = S_IFREG | 0644;
    tree.root().entries.clear();
  });
  expect_refused(invalid, [](tree::Tree&, tree::Inode& f) {
    f.content = "abc";
    f.attributes.size = 4;
  });
  expect_refused(invalid, [](tree::Tree&, tree::Inode&) {}, S_IFLNK | 0777);
  expect_refused(
      invalid, [](tree::Tree&, tree::Inode& f) { f.payload = std::string("a\0", 2); },
      S_IFLNK | 0777);
}

TEST(WriteImage, RefusesWhatIsOverALimit) {
  const auto limit = ErrorKind::limit;
  expect_refused(
      limit, [](tree::Tree&, tree::Inode& f) { f.payload = std::string(4096, 'x'); },
      S_IFLNK | 0777);
  expect_refused(limit, [](tree::Tree&, tree::Inode& f) {
    f.content = std::string(5001, 'x');
    f.attributes.size = 5001;
  });
  expect_refused(
      limit, [](tree::Tree&, tree::Inode& f) { f.attributes.size = (std::uint64_t{1} << 53) + 1; });
  expect_refused(limit, [](tree::Tree&, tree::Inode& f) { f.set_xattr("", "x"); });
  expect_refused(limit,
                 [](tree::Tree&, tree::Inode& f) { f.set_xattr(std::string(256, 'n'), ""); });
  // 12 + 7 + 6 + value: one byte too many, and just right.
  expect_refused(limit, [](tree::Tree&, tree::Inode& f) {
    f.set_xattr("user.x", std::string(32767 - 24, 'v'));
  });
  EXPECT_TRUE(write_with(
      [](tree::Tree&, tree::Inode& f) { f.set_xattr("user.x", std::string(32767 - 25, 'v')); }));
}

TEST(WriteImage, RefusesHardLinksThatLeadNowhere) {
  expect_refused(ErrorKind::invalid_argument,
                 [](tree::Tree& tree, tree::Inode&) { tree.root().entries["g"] = {file(), true}; });
  expect_refused(ErrorKind::invalid_argument, [](tree::Tree& tree, tree::Inode&) {
    tree.root().entries["d"] = {file(S_IFDIR | 0755)};
    tree.root().entries["e"] = {tree.root().entries["d"].inode, true};
  });
  expect_refused(ErrorKind::invalid_argument, [](tree::Tree& tree, tree::Inode&) {
    tree.root().entries["g"] = {tree.root().entries["f"].inode, true};
    tree.root().entries["h"] = {tree.root().entries["f"].inode, false};
  });
}

TEST(WriteImage, SharesAtMost128AttributesOfAnInode) {
  std::string dump = "/ 0 40755 2 0 0 0 0.0 - - -\n";
  for (const char* name : {"/a", "/b"}) {
    dump += fmt::format("{} 0 100644 1 0 0 0 0.0 - - -", name);
    for (int i = 0; i < 200; ++i) dump += fmt::format(" user.x{:03d}=v", i);
    dump += "\n";
  }
  const Bytes image = test::image_of(dump);
  EXPECT_TRUE(equal(test::image_of(test::dump_of(image)), image));
}

TEST(ListObjects, EachPayloadOnceInWalkOrder) {
  const std::string a(64, 'a');
  const std::string b(64, 'b');
  const std::string dump =
      "/ 0 40755 2 0 0 0 0.0 - - -\n"
      "/d 0 40755 2 0 0 0 0.0 - - -\n"
      "/d/x 100 100644 1 0 0 0 0.0 bb/x - " +
      b +
      "\n"
      "/e 70 100644 1 0 0 0 0.0 aa/x - " +
      a +
      "\n"
      "/f 70 100644 1 0 0 0 0.0 aa/x - " +
      a +
      "\n"
      "/g 3 100644 1 0 0 0 0.0 cc/x abc " +
      a +
      "\n"
      "/h 0 @100644 1 0 0 0 0.0 /d/x - -\n";
  const auto objects = list_objects(test::source_of(test::image_of(dump)));
  ASSERT_TRUE(objects) << objects.error().message();
  ASSERT_EQ(objects->size(), 2u);
  EXPECT_EQ((*objects)[0].payload, "bb/x");
  EXPECT_EQ((*objects)[0].path, "/d/x");
  EXPECT_EQ((*objects)[0].size, 100u);
  EXPECT_EQ((*objects)[0].digest.hex(), b);
  EXPECT_EQ((*objects)[1].path, "/e");
}

TEST(ListObjects, WhatNothingCouldVerifyIsRefused) {
  const std::string a(64, 'a');
  const std::string root = "/ 0 40755 2 0 0 0 0.0 - - -\n";
  const std::string good = "/e 70 100644 1 0 0 0 0.0 aa/x - " + a + "\n";
  EXPECT_TRUE(list_objects(test::source_of(test::image_of(root + good))));
  for (const std::string& bad : {"/f 70 100644 1 0 0 0 0.0 aa/x - " + std::string(64, 'b') + "\n",
                                 "/f 71 100644 1 0 0 0 0.0 aa/x - " + a + "\n",
                                 std::string("/f 70 100644 1 0 0 0 0.0 aa/y - -\n"),
                                 "/f 70 100644 1 0 0 0 0.0 - - " + a + "\n",
                                 "/f 70 100644 1 0 0 0 0.0 ../x - " + a + "\n"}) {
    const auto refused = list_objects(test::source_of(test::image_of(root + good + bad)));
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().kind(), ErrorKind::malformed);
  }
}

TEST(ReadTree, ToplevelEntriesCanBeChosen) {
  const Bytes image = test::image_of(
      "/ 0 40755 2 0 0 0 0.0 - - -\n/a 0 40755 2 0 0 0 0.0 - - -\n"
      "/a/b 0 100644 1 0 0 0 0.0 - - -\n/b 0 100644 1 0 0 0 0.0 - - -\n");
  const auto tree = read_tree(test::source_of(image), {.toplevel_entries = {"a", "x"}});
  ASSERT_TRUE(tree);
  EXPECT_TRUE(tree->find("/a/b"));
  EXPECT_FALSE(tree->find("/b"));
}

TEST(ReadInfo, TellsWhatTheHeaderSays) {
  const auto info = read_info(
      test::source_of(test::image_of("/ 0 40755 2 0 0 0 0.0 - - - system.posix_acl_access=x\n"
                                     "/w 0 20000 1 0 0 0 0.0 - - -\n")));
  ASSERT_TRUE(info);
  EXPECT_EQ(info->format_version, 1u);
  EXPECT_TRUE(info->has_acl);
  EXPECT_EQ(info->inodes, 258u);
}

/// 12,000 files in 40 directories: some with content in blocks, some linked, with attributes that
/// files of all directories share, of one directory, or of nobody else.
tree::Tree large_tree() {
  tree::Tree tree;
  tree::InodePtr linked;
  for (int d = 0; d < 40; ++d) {
    auto directory = file(S_IFDIR | 0755);
    for (int f = 0; f < 300; ++f) {
      auto inode = file(f % 9 == 0 ? S_IFLNK | 0777 : S_IFREG | 0644);
      inode->attributes.mtime.seconds = d;
      if (f % 9 == 0) {
        inode->payload = std::string(static_cast<std::size_t>(1 + f), 't');
      } else if (f % 9 == 1) {
        inode->content = std::string(static_cast<std::size_t>(1 + f * 13), 'c');
        inode->attributes.size = inode->content.size();
      } else {
        inode->attributes.size = 70000;
        inode->payload = fmt::format("{:02x}/{:04x}", d % 3, f);
      }
      inode->set_xattr("user.everywhere", f % 2 == 0 ? "even" : "odd");
      inode->set_xattr("user.here", fmt::format("{}", d));
      inode->set_xattr("user.own", fmt::format("{} {}", d, f));
      if (f == 7 && d == 3) linked = inode;
      directory->entries[fmt::format("f{}", f)] = {std::move(inode)};
    }
    if (d == 39) directory->entries["link"] = {linked, true};
    tree.root().entries[fmt::format("d{}", d)] = {std::move(directory)};
  }
  return tree;
}

TEST(WriteImage, GivesTheSameBytesWithAnyNumberOfThreads) {
  const tree::Tree tree = large_tree();
  const Bytes image = write_image(tree, {.threads = 1}).value();
  for (const unsigned threads : {2u, 3u, 16u})
    EXPECT_TRUE(write_image(tree, {.threads = threads}).value() == image) << threads;
  const auto back = read_tree(test::source_of(image)).value();
  EXPECT_TRUE(write_image(back, {.threads = 5}).value() == image);
  EXPECT_EQ(back.find("/d39/link"), back.find("/d3/f7"));
  EXPECT_THAT(back.find("/d39/f299")->xattrs,
              testing::UnorderedElementsAre(tree::Xattr{"user.everywhere", "odd"},
                                            tree::Xattr{"user.here", "39"},
                                            tree::Xattr{"user.own", "39 299"}));
}

}  // namespace
}  // namespace intact::composefs
