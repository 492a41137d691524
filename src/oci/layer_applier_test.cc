#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/sysmacros.h>

#include <intact/oci/layer_applier.h>
#include <intact/oci/testing/null_sink.h>
#include <intact/oci/testing/test_tar.h>

#include "test_layers.h"

namespace intact::oci {
namespace {

using namespace test;
using testing::ElementsAre;
using testing::ElementsAreArray;

struct Case {
  const char* what;
  std::vector<std::vector<std::string>> layers;
  std::vector<std::string> tree;
};

TEST(LayerApplier, AppliesAsExtractorsDo) {
  const auto wh = [](const std::string& path) { return file(path); };
  const std::vector<Case> table{
      {"absolute, dotted and doubled slashes",
       {{dir("./"), file("/a", "1"), file("./b", "2"), dir("d//"), file("d/./c", "3")}},
       {"/", "/a=1", "/b=2", "/d/", "/d/c=3"}},
      {"missing parents", {{file("a/b/c", "x")}}, {"/", "/a/", "/a/b/", "/a/b/c=x"}},
      {"the later of duplicates", {{file("a", "1"), file("a", "2")}}, {"/", "/a=2"}},
      {"a file replaces a file", {{file("a", "1")}, {file("a", "2")}}, {"/", "/a=2"}},
      {"a file replaces a directory",
       {{dir("a"), file("a/b", "1")}, {file("a", "2")}},
       {"/", "/a=2"}},
      {"a directory replaces a file",
       {{file("a", "1")}, {dir("a"), file("a/b", "2")}},
       {"/", "/a/", "/a/b=2"}},
      {"a directory over a directory keeps what is in it",
       {{dir("a"), file("a/b", "1")}, {dir("a")}},
       {"/", "/a/", "/a/b=1"}},
      {"a directory replaces a symlink",
       {{dir("t"), symlink("a", "t")}, {dir("a"), file("a/b", "")}},
       {"/", "/a/", "/a/b=", "/t/"}},
      {"file, then directory in one layer",
       {{dir("a"), file("a/old", "1")}, {file("a", "x"), dir("a")}},
       {"/", "/a/"}},

      {"whiteout", {{file("a", "1"), file("b", "2")}, {wh(".wh.a")}}, {"/", "/b=2"}},
      {"whiteout of a directory",
       {{dir("d"), dir("d/e"), file("d/e/f", "1")}, {wh("d/.wh.e")}},
       {"/", "/d/"}},
      {"whiteout of nothing", {{file("a", "1")}, {wh(".wh.b"), wh("x/y/.wh.z")}}, {"/", "/a=1"}},
      {"whiteout below a file", {{file("a", "1")}, {wh("a/.wh.b")}}, {"/", "/a=1"}},
      {"whiteout of the own layer", {{file("a", "1"), wh(".wh.a")}}, {"/", "/a=1"}},
      {"whiteout before the new file",
       {{file("a", "1")}, {wh(".wh.a"), file("a", "2")}},
       {"/", "/a=2"}},
      {"whiteout after the new file",
       {{file("a", "1")}, {file("a", "2"), wh(".wh.a")}},
       {"/", "/a=2"}},
      {"whiteout after a new child",
       {{dir("d"), file("d/old", "1")}, {dir("d"), file("d/new", "2"), wh(".wh.d")}},
       {"/", "/d/", "/d/new=2"}},
      {"whiteout of one of two names",
       {{file("a", "1"), hard_link("b", "a")}, {wh(".wh.a")}},
       {"/", "/b=1"}},
      {"opaque",
       {{dir("d"), file("d/old", "1")}, {dir("d"), wh("d/.wh..wh..opq"), file("d/new", "2")}},
       {"/", "/d/", "/d/new=2"}},
      {"opaque at the end",
       {{dir("d"), file("d/old", "1")}, {file("d/new", "2"), wh("d/.wh..wh..opq")}},
       {"/", "/d/", "/d/new=2"}},
      {"opaque root", {{file("a", "1")}, {file("b", "2"), wh(".wh..wh..opq")}}, {"/", "/b=2"}},
      {"opaque on a missing directory", {{file("a", "1")}, {wh("d/.wh..wh..opq")}}, {"/", "/a=1"}},
      {"opaque hides only one level's lower layers",
       {{dir("d"), dir("d/e"), file("d/e/f", "1")},
        {wh("d/.wh..wh..opq"), dir("d/e"), file("d/e/g", "2")}},
       {"/", "/d/", "/d/e/", "/d/e/g=2"}},
      {"names of AUFS",
       {{dir(".wh..wh.plnk"), file(".wh..wh.plnk/1.2", "x"), file(".wh..wh.aufs"), file("a", "1")}},
       {"/", "/a=1"}},

      {"hard link",
       {{file("a", "1"), hard_link("b", "a"), hard_link("c", "/b")}},
       {"/", "/a=1 #1*", "/b=1 #1", "/c=1 #1"}},
      {"hard link whose first name sorts last",
       {{file("z", "1"), hard_link("a", "z")}},
       {"/", "/a=1 #1*", "/z=1 #1"}},
      {"hard link to a lower layer",
       {{file("a", "1")}, {hard_link("b", "a")}},
       {"/", "/a=1 #1*", "/b=1 #1"}},
      {"hard link to a symlink",
       {{symlink("s", "t"), hard_link("h", "s")}},
       {"/", "/h->t #1*", "/s->t #1"}},
      {"the target of a hard link replaced",
       {{file("a", "1"), hard_link("b", "a")}, {file("a", "2")}},
       {"/", "/a=2", "/b=1"}},
      {"hard link, then its target again",
       {{file("a", "1"), hard_link("b", "a"), file("a", "2")}},
       {"/", "/a=2", "/b=1"}},
      {"hard link through a symlinked directory",
       {{dir("usr"), dir("usr/lib"), symlink("lib", "usr/lib"), file("usr/lib/x", "1"),
         hard_link("y", "lib/x")}},
       {"/", "/lib->usr/lib", "/usr/", "/usr/lib/", "/usr/lib/x=1 #1*", "/y=1 #1"}},

      {"below a symlink of the layer",
       {{dir("usr"), dir("usr/lib"), symlink("lib", "usr/lib"), file("lib/x", "1")}},
       {"/", "/lib->usr/lib", "/usr/", "/usr/lib/", "/usr/lib/x=1"}},
      {"below a symlink of a lower layer",
       {{dir("usr"), dir("usr/lib"), symlink("lib", "usr/lib")}, {file("lib/x", "1")}},
       {"/", "/lib->usr/lib", "/usr/", "/usr/lib/", "/usr/lib/x=1"}},
      {"below an absolute symlink",
       {{dir("usr"), symlink("lib", "/usr"), file("lib/x", "1")}},
       {"/", "/lib->/usr", "/usr/", "/usr/x=1"}},
      {"below a symlink that climbs out",
       {{symlink("up", "../../../etc"), file("up/x", "1")}},
       {"/", "/etc/", "/etc/x=1", "/up->../../../etc"}},
      {"below a symlink to nothing",
       {{symlink("s", "a/b"), file("s/x", "1")}},
       {"/", "/a/", "/a/b/", "/a/b/x=1", "/s->a/b"}},
      {"whiteout through a symlink",
       {{dir("etc"), file("etc/passwd", "1"), symlink("a", "/etc")}, {wh("a/.wh.passwd")}},
       {"/", "/a->/etc", "/etc/"}},
      {"opaque on a symlink",
       {{dir("etc"), file("etc/passwd", "1"), symlink("a", "/etc")}, {wh("a/.wh..wh..opq")}},
       {"/", "/a->/etc", "/etc/"}},
      {"a symlink is whited out and its name is a directory",
       {{dir("t"), symlink("a", "t")}, {wh(".wh.a"), file("a/x", "1")}},
       {"/", "/a/", "/a/x=1", "/t/"}},
      {"the types",
       {{raw({.name = "c", .type = '3'}), raw({.name = "b", .type = '4'}),
         raw({.name = "p", .type = '6'})}},
       {"/", "/b device", "/c device", "/p fifo"}},
      {"several gaps", {{file("a", "1")}, {}, {file("b", "2")}}, {"/", "/a=1", "/b=2"}},
  };
  for (const Case& c : table) {
    std::vector<Bytes> layers;
    for (const auto& parts : c.layers) layers.push_back(archive(parts));
    const auto applied = apply(layers);
    ASSERT_TRUE(applied) << c.what << ": " << applied.error().message();
    EXPECT_THAT(outline(applied->tree), ElementsAreArray(c.tree)) << c.what;
  }
}

TEST(LayerApplier, RefusesWhatMakesNoSense) {
  struct Bad {
    const char* what;
    std::vector<std::string> parts;
    ErrorKind kind = ErrorKind::malformed;
  };
  const std::string deep = [] {
    std::string path;
    for (int i = 0; i < 1100; ++i) path += "d/";
    return path;
  }();
  const std::vector<Bad> table{
      {"..", {file("../a")}},
      {".. inside", {file("a/../b")}},
      {".. at the end", {dir("a/..")}},
      {"whiteout of ..", {file(".wh...")}},
      {"whiteout of .", {file(".wh..")}},
      {"whiteout of nothing", {file(".wh.")}},
      {"whiteout with content", {file(".wh.a", "x")}},
      {"whiteout that is a directory", {dir(".wh.a")}},
      {"a directory called like a whiteout", {file(".wh.a/b")}},
      {"root as a file", {file(".")}},
      {"root as a symlink", {symlink("./", "x")}},
      {"hard link to nothing there", {hard_link("b", "a")}},
      {"hard link to itself", {file("a", "1"), hard_link("./a", "a")}},
      {"hard link to a directory", {dir("d"), hard_link("b", "d")}},
      {"hard link to the root", {hard_link("b", "/")}},
      {"hard link with ..", {file("a"), hard_link("b", "x/../a")}},
      {"PAX linkpath with ..",
       {file("a"), pax(pax_record("linkpath", "../a")), hard_link("b", "a")}},
      {"below a file", {file("a"), file("a/b")}},
      {"below a device", {raw({.name = "c", .type = '3'}), file("c/x")}},
      {"a circle of symlinks", {symlink("a", "b"), symlink("b", "a"), file("a/x")}},
      {"a name of 256 bytes",
       {pax(pax_record("path", std::string(256, 'n'))), file("x")},
       ErrorKind::limit},
      {"too deep", {pax(pax_record("path", deep + "f")), file("x")}, ErrorKind::limit},
      {"xattrs too large for an image",
       {pax(pax_record("SCHILY.xattr.user.a", std::string(32749, 'x'))), file("x")},
       ErrorKind::limit},
  };
  for (const Bad& bad : table) {
    const auto applied = apply({archive(bad.parts)});
    ASSERT_FALSE(applied) << bad.what;
    EXPECT_EQ(applied.error().kind(), bad.kind) << bad.what << ": " << applied.error().message();
    EXPECT_THAT(applied.error().message(), testing::HasSubstr("layer entry")) << bad.what;
  }
  // The twins of those over a limit.
  EXPECT_TRUE(apply({archive({pax(pax_record("path", std::string(255, 'n'))), file("x")})}));
  EXPECT_TRUE(apply({archive({pax(pax_record("path", deep.substr(0, 2000) + "f")), file("x")})}));
  EXPECT_TRUE(apply(
      {archive({pax(pax_record("SCHILY.xattr.user.a", std::string(32742, 'x'))), file("x")})}));
  EXPECT_TRUE(
      apply({archive({file("a"), pax(pax_record("linkpath", "./a")), hard_link("b", "a")})}));
}

TEST(LayerApplier, SymlinksCannotMakePathsGrowForEver) {
  // Each directory is reached by a short path through a symlink to the one before it.
  const auto chain = [](int length) {
    const std::string name(200, 'd');
    std::vector<std::string> parts{dir(name), symlink("s0", name)};
    for (int i = 1; i < length; ++i) {
      const std::string before = "s" + std::to_string(i - 1) + "/";
      parts.push_back(pax(pax_record("path", before + name)) + dir("x"));
      parts.push_back(pax(pax_record("linkpath", before + name)) +
                      symlink("s" + std::to_string(i), "x"));
    }
    return archive(parts);
  };
  EXPECT_TRUE(apply({chain(20)}));
  const auto applied = apply({chain(30)});
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().kind(), ErrorKind::limit);
}

TEST(LayerApplier, SymlinksCannotMakeSmallLayersSlow) {
  // Each link walks in and out of a directory before it comes to the one before it.
  const auto through = [](int links, int paths) {
    std::vector<std::string> parts{dir("a"), dir("d")};
    std::string target = "d";
    std::string walk;
    for (int i = 0; i < 400; ++i) walk += "a/../";
    for (int i = 0; i < links; ++i) {
      const std::string name = "s" + std::to_string(i);
      parts.push_back(pax(pax_record("linkpath", walk + target)) + symlink(name, "x"));
      target = name;
    }
    for (int i = 0; i < paths; ++i) parts.push_back(file(target + "/f" + std::to_string(i)));
    return archive(parts);
  };
  EXPECT_TRUE(apply({through(39, 4)}));
  EXPECT_TRUE(apply({through(1, 200)}));
  for (const auto& layer : {through(39, 400), through(1, 4000)}) {
    const auto applied = apply({layer});
    ASSERT_FALSE(applied);
    EXPECT_EQ(applied.error().kind(), ErrorKind::limit);
  }
}

TEST(LayerApplier, Attributes) {
  const auto applied = apply({
      archive({raw({.name = "./",
                    .type = '5',
                    .mode = "0000711",
                    .uid = "0000001",
                    .mtime = "00000000017"}),
               pax(pax_record("mtime", "5.25") + pax_record("SCHILY.xattr.user.k", "v")),
               raw({.name = "f",
                    .content = "abc",
                    .mode = "0104755",
                    .uid = "0001750",
                    .gid = "0000012"}),
               raw({.name = "s", .type = '2', .link = "target", .mode = "0000755"}),
               pax(pax_record("SCHILY.xattr.user.old", "1")), dir("d", "0000700"),
               raw({.name = "c",
                    .type = '3',
                    .mode = "0000620",
                    .major = "0000005",
                    .minor = "0000001"}),
               raw({.name = "w", .type = '3'})}),
      archive({pax(pax_record("SCHILY.xattr.user.new", "2")), dir("d", "0000750"), file("x/y")}),
  });
  ASSERT_TRUE(applied) << applied.error().message();
  const tree::Tree& tree = applied->tree;
  EXPECT_EQ(tree.root().attributes.mode, S_IFDIR | 0711u);
  EXPECT_EQ(tree.root().attributes.uid, 1u);
  EXPECT_EQ(tree.root().attributes.mtime.seconds, 15);
  EXPECT_EQ(tree.root().attributes.nlink, 4u);
  const auto f = tree.find("f");
  EXPECT_EQ(f->attributes.mode, S_IFREG | 04755u);
  EXPECT_EQ(f->attributes.uid, 1000u);
  EXPECT_EQ(f->attributes.gid, 10u);
  EXPECT_EQ(f->attributes.size, 3u);
  EXPECT_EQ(f->attributes.mtime, (tree::Timestamp{5, 250'000'000}));
  EXPECT_THAT(f->xattrs, ElementsAre(tree::Xattr{"user.k", "v"}));
  EXPECT_EQ(tree.find("s")->attributes.mode, S_IFLNK | 0777u);
  EXPECT_EQ(tree.find("s")->attributes.size, 6u);
  EXPECT_EQ(tree.find("c")->attributes.rdev, makedev(5, 1));
  EXPECT_EQ(tree.find("w")->attributes.mode & S_IFMT, static_cast<unsigned>(S_IFCHR));
  EXPECT_EQ(tree.find("w")->attributes.rdev, 0u);
  EXPECT_EQ(tree.find("d")->attributes.mode, S_IFDIR | 0750u);
  EXPECT_THAT(tree.find("d")->xattrs, ElementsAre(tree::Xattr{"user.new", "2"}));
  const auto x = tree.find("x");
  EXPECT_EQ(x->attributes.mode, S_IFDIR | 0755u);
  EXPECT_EQ(x->attributes.mtime, (tree::Timestamp{0, 0}));
}

TEST(LayerApplier, ImplicitParentsLeaveLowerDirectoriesAlone) {
  const auto applied = apply({archive({dir("d", "0000700")}), archive({file("d/f", "1")})});
  ASSERT_TRUE(applied);
  EXPECT_EQ(applied->tree.find("d")->attributes.mode, S_IFDIR | 0700u);
  // Whited out, the lower one has no say any more, wherever the whiteout stands.
  for (const bool first : {true, false}) {
    const auto again = apply({archive({dir("d", "0000700")}),
                              archive(first ? std::vector{file(".wh.d"), file("d/f", "1")}
                                            : std::vector{file("d/f", "1"), file(".wh.d")})});
    ASSERT_TRUE(again);
    EXPECT_EQ(again->tree.find("d")->attributes.mode, S_IFDIR | 0755u);
  }
}

TEST(LayerApplier, WarnsOfDuplicatesAndAcls) {
  const auto applied =
      apply({archive({file("a", "1"), file("a", "2"), pax(pax_record("SCHILY.acl.access", "u")),
                      file("b"), file("d/x"), dir("d")})});
  ASSERT_TRUE(applied);
  EXPECT_THAT(applied->warnings, ElementsAre(testing::HasSubstr("'a'"), testing::HasSubstr("ACL")));
  const auto many = apply({archive({file("a"), file("a"), file("a"), file("a")})}, {.warnings = 1});
  ASSERT_TRUE(many);
  EXPECT_THAT(many->warnings, ElementsAre(testing::HasSubstr("'a'"), testing::HasSubstr("2 more")));
  const auto none = apply({archive({file("a", "1")}), archive({file("a", "2"), file(".wh.zz")})});
  ASSERT_TRUE(none);
  EXPECT_THAT(none->warnings, testing::IsEmpty());
}

TEST(LayerApplier, KeepsToItsLimits) {
  const Bytes layer = archive({file("a", "12345"), file("b", "12345")});
  EXPECT_TRUE(apply({layer, layer}, {.entries = 4}));
  EXPECT_EQ(apply({layer, layer}, {.entries = 3}).error().kind(), ErrorKind::limit);
}

TEST(LayerApplier, ImpliedDirectoriesAreEntriesToo) {
  const std::vector<Bytes> layers{archive({file("a/b/c/d")}), archive({file("x/y"), dir("x")})};
  EXPECT_TRUE(apply(layers, {.entries = 7}));
  EXPECT_EQ(apply(layers, {.entries = 6}).error().kind(), ErrorKind::limit);
  EXPECT_TRUE(apply({layers[0]}, {.entries = 4}));
  EXPECT_EQ(apply({layers[0]}, {.entries = 3}).error().kind(), ErrorKind::limit);
}

TEST(LayerApplier, LimitsNamesLinksAndXattrsOfAllLayers) {
  const Bytes layer = archive({file("12345"), symlink("l", "1234"),
                               pax(pax_record("SCHILY.xattr.user.a", "xyz")), file("f")});
  EXPECT_TRUE(apply({layer, layer}, {.metadata_bytes = 40 + 2 * tree::kXattrCost}));
  EXPECT_EQ(apply({layer, layer}, {.metadata_bytes = 39 + 2 * tree::kXattrCost}).error().kind(),
            ErrorKind::limit);
}

TEST(LayerApplier, ReadsTheStreamToItsEnd) {
  tree::Tree tree;
  NullSink sink;
  LayerApplier applier(tree, sink);
  MemoryStream stream(to_bytes(file("a", "x") + kEnd + std::string(10'000, '\0')));
  ASSERT_TRUE(applier.apply(stream));
  Bytes byte(1);
  EXPECT_EQ(stream.read(byte).value(), 0u);
}

}  // namespace
}  // namespace intact::oci
