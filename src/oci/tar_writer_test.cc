#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/oci/tar_reader.h>
#include <intact/oci/testing/test_tar.h>
#include <intact/oci/tree_tar.h>

#include "test_command.h"
#include "test_layers.h"

namespace intact::oci {
namespace {

using namespace test;

std::vector<TarEntry> difficult_entries() {
  std::vector<TarEntry> entries;
  const auto add = [&](TarType type, const std::string& path) -> TarEntry& {
    TarEntry entry;
    entry.type = type;
    entry.path = path;
    entry.mode = 0644;
    entries.push_back(entry);
    return entries.back();
  };
  add(TarType::directory, "./");
  add(TarType::regular, std::string(100, 'n'));
  add(TarType::regular, std::string(101, 'n'));
  add(TarType::regular, std::string(155, 'p') + "/" + std::string(100, 'n'));
  add(TarType::regular, std::string(156, 'p') + "/" + std::string(100, 'n'));
  add(TarType::directory, std::string(155, 'p') + "/" + std::string(99, 'n') + "/");
  add(TarType::directory, std::string(155, 'p') + "/" + std::string(100, 'n') + "/");
  add(TarType::regular, std::string(4095, 'x'));
  add(TarType::symlink, "s").link = std::string(100, 't');
  add(TarType::symlink, "s2").link = std::string(101, 't');
  add(TarType::hard_link, "h").link = std::string(3000, 't');
  add(TarType::character_device, "c").rdev = static_cast<std::uint32_t>(makedev(4095, 1048575));
  add(TarType::block_device, "b").rdev = static_cast<std::uint32_t>(makedev(8, 1));
  add(TarType::fifo, "p").mode = 07777;
  add(TarType::regular, "ids").uid = 07777777;
  entries.back().gid = 010000000;
  add(TarType::regular, "ids2").uid = 4294967294;
  for (const tree::Timestamp time :
       {tree::Timestamp{-1, 0}, tree::Timestamp{-1, 1}, tree::Timestamp{-2, 999'999'999},
        tree::Timestamp{1, 5}, tree::Timestamp{077777777777, 0},
        tree::Timestamp{0100000000000, 100'000'000}})
    add(TarType::regular, "time").mtime = time;
  add(TarType::regular, "x").xattrs = {{"user.a", std::string("\0=\n", 3)},
                                       {"user.empty", ""},
                                       {"user.long", std::string(60'000, 'v')}};
  add(TarType::regular, "caf\xc3\xa9/\xff");
  return entries;
}

TEST(TarWriter, ReadsBackAsItWas) {
  Bytes out;
  TarWriter writer([&](ByteSpan bytes) -> Result<void> {
    out.insert(out.end(), bytes.begin(), bytes.end());
    return {};
  });
  for (const TarEntry& entry : difficult_entries()) ASSERT_TRUE(writer.add(entry)) << entry.path;
  ASSERT_TRUE(writer.finish());
  MemoryStream stream(out);
  TarReader reader(stream);
  for (const TarEntry& entry : difficult_entries()) {
    const auto next = reader.next();
    ASSERT_TRUE(next) << next.error().message();
    ASSERT_TRUE(*next);
    const TarEntry& got = **next;
    EXPECT_EQ(got.path, entry.path);
    EXPECT_EQ(got.type, entry.type);
    EXPECT_EQ(got.link, entry.link);
    EXPECT_EQ(got.mode, entry.mode);
    EXPECT_EQ(got.uid, entry.uid);
    EXPECT_EQ(got.gid, entry.gid);
    EXPECT_EQ(got.mtime, entry.mtime) << entry.mtime.seconds << "." << entry.mtime.nanoseconds;
    EXPECT_EQ(got.rdev, entry.rdev);
    EXPECT_EQ(got.xattrs, entry.xattrs);
  }
  EXPECT_FALSE(reader.next().value());
}

TEST(TarWriter, HoldsItsCallerToTheSize) {
  TarWriter writer([](ByteSpan) -> Result<void> { return {}; });
  TarEntry entry;
  entry.path = "f";
  entry.size = 3;
  ASSERT_TRUE(writer.add(entry));
  EXPECT_FALSE(writer.write_content(as_bytes("abcd")));
  EXPECT_TRUE(writer.write_content(as_bytes("ab")));
  EXPECT_FALSE(writer.add(entry));
  EXPECT_FALSE(writer.finish());
  EXPECT_TRUE(writer.write_content(as_bytes("c")));
  EXPECT_TRUE(writer.finish());
  TarEntry bad = entry;
  bad.path = std::string("a\0b", 3);
  EXPECT_FALSE(writer.add(bad));
  bad = entry;
  bad.type = TarType::symlink;
  EXPECT_FALSE(writer.add(bad));
  bad = entry;
  bad.xattrs = {{"user.a=b", ""}};
  EXPECT_FALSE(writer.add(bad));
}

Result<Bytes> tar_of(const tree::Tree& tree) {
  Bytes out;
  TRY(write_tree_tar(
      tree,
      [](const std::string&, const tree::Inode&) -> Result<std::unique_ptr<ByteStream>> {
        return Error(ErrorKind::not_found, "no content here");
      },
      [&](ByteSpan bytes) -> Result<void> {
        out.insert(out.end(), bytes.begin(), bytes.end());
        return {};
      }));
  return out;
}

TEST(TreeTar, AppliesToTheSameTree) {
  const auto applied = apply({archive(
      {dir("./", "0000711"), dir("d", "0000700"), file("d/f", std::string(600, 'x')),
       hard_link("a", "d/f"), symlink("s", "d/f"), raw({.name = "c", .type = '3'}),
       pax(pax_record("SCHILY.xattr.user.k", "v") + pax_record("mtime", "1.5")), file("e")})});
  ASSERT_TRUE(applied);
  const Bytes tar = tar_of(applied->tree).value();
  const auto again = apply({tar});
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(outline(again->tree), outline(applied->tree));
  EXPECT_EQ(again->tree.root().attributes.mode, S_IFDIR | 0711u);
  EXPECT_EQ(again->tree.find("e")->xattrs, applied->tree.find("e")->xattrs);
  EXPECT_TRUE(tar_of(again->tree).value() == tar);
}

TEST(TreeTar, RefusesWhatALayerCannotSay) {
  tree::Tree tree;
  auto inode = std::make_shared<tree::Inode>();
  inode->attributes.mode = S_IFREG | 0644;
  tree.root().entries["ok"] = {inode};
  EXPECT_TRUE(tar_of(tree));
  tree.root().entries[".wh.x"] = {std::make_shared<tree::Inode>(*inode)};
  EXPECT_EQ(tar_of(tree).error().kind(), ErrorKind::unsupported);
  tree.root().entries.erase(".wh.x");
  inode->attributes.mode = S_IFSOCK | 0644;
  EXPECT_EQ(tar_of(tree).error().kind(), ErrorKind::unsupported);
}

TEST(DirectoryTar, HoldsTheDirectory) {
  const TempDir dir = TempDir::create().value();
  std::filesystem::create_directories(dir.path("d/e"));
  std::ofstream(dir.path("d/f")) << "content";
  ASSERT_EQ(::link(dir.path("d/f").c_str(), dir.path("a").c_str()), 0);
  ASSERT_EQ(::symlink("d/f", dir.path("s").c_str()), 0);
  ASSERT_EQ(::mkfifo(dir.path("p").c_str(), 0600), 0);
  ASSERT_EQ(::chmod(dir.path("d").c_str(), 01750), 0);
  const timespec times[2] = {{1, 0}, {1'600'000'000, 123'456'789}};
  ASSERT_EQ(::utimensat(AT_FDCWD, dir.path("d/f").c_str(), times, 0), 0);
  const bool xattrs = ::setxattr(dir.path("d/f").c_str(), "user.k", "v", 1, 0) == 0;
  const auto make = [&](const DirectoryTarOptions& options) {
    Bytes out;
    const auto written =
        write_directory_tar(dir.path(), options, [&](ByteSpan bytes) -> Result<void> {
          out.insert(out.end(), bytes.begin(), bytes.end());
          return {};
        });
    EXPECT_TRUE(written) << written.error().message();
    return out;
  };
  const Bytes tar = make({});
  EXPECT_TRUE(tar == make({}));
  const auto applied = apply({tar});
  ASSERT_TRUE(applied) << applied.error().message();
  EXPECT_THAT(outline(applied->tree),
              testing::ElementsAre("/", "/a=content #1*", "/d/", "/d/e/", "/d/f=content #1",
                                   "/p fifo", "/s->d/f"));
  const auto f = applied->tree.find("d/f");
  EXPECT_EQ(f->attributes.mtime, (tree::Timestamp{1'600'000'000, 123'456'789}));
  EXPECT_EQ(f->attributes.uid, ::getuid());
  if (xattrs) {
    EXPECT_THAT(f->xattrs, testing::ElementsAre(tree::Xattr{"user.k", "v"}));
  }
  EXPECT_EQ(applied->tree.find("d")->attributes.mode, S_IFDIR | 01750u);
  const auto clamped = apply({make({.clamp_mtime = 1000, .owner = {}})});
  EXPECT_EQ(clamped->tree.find("d/f")->attributes.mtime, (tree::Timestamp{1000, 0}));
  const auto owned = apply({make({.clamp_mtime = {}, .owner = Owner{0, 7}})});
  EXPECT_EQ(owned->tree.root().attributes.uid, 0u);
  for (const char* name : {"a", "d", "d/e", "d/f", "p", "s"}) {
    EXPECT_EQ(owned->tree.find(name)->attributes.uid, 0u) << name;
    EXPECT_EQ(owned->tree.find(name)->attributes.gid, 7u) << name;
    EXPECT_EQ(applied->tree.find(name)->attributes.gid, ::getgid()) << name;
  }
  std::ofstream(dir.path("d/.wh.x")) << "";
  EXPECT_EQ(write_directory_tar(dir.path(), {}, [](ByteSpan) -> Result<void> { return {}; })
                .error()
                .kind(),
            ErrorKind::unsupported);
}

TEST(Owner, IsOneNumberOrTwo) {
  EXPECT_EQ(parse_owner("0").value(), (Owner{0, 0}));
  EXPECT_EQ(parse_owner("1000").value(), (Owner{1000, 1000}));
  EXPECT_EQ(parse_owner("0:4294967294").value(), (Owner{0, 4294967294}));
  for (const char* text : {"", ":", "0:", ":0", "0:0:0", "-1", "+1", " 0", "0 ", "0x0", "root",
                           "root:root", "4294967295", "0:4294967295", "4294967296"}) {
    const auto owner = parse_owner(text);
    ASSERT_FALSE(owner) << text;
    EXPECT_EQ(
        owner.error().message(),
        std::string(text) + ": not an owner; give UID or UID:GID as numbers from 0 to 4294967294");
  }
}

TEST(DirectoryTar, GnuTarExtractsIt) {
  if (!has_command("tar")) GTEST_SKIP() << "tar is not installed";
  const TempDir dir = TempDir::create().value();
  const std::string deep = std::string(200, 'a') + "/" + std::string(200, 'b');
  std::filesystem::create_directories(dir.path("in/" + deep));
  std::ofstream(dir.path("in/" + deep + "/f")) << std::string(5000, 'x');
  std::ofstream out(dir.path("t.tar"), std::ios::binary);
  ASSERT_TRUE(write_directory_tar(dir.path("in"), {}, [&](ByteSpan bytes) -> Result<void> {
    out << as_text(bytes);
    return {};
  }));
  out.close();
  std::filesystem::create_directories(dir.path("out"));
  EXPECT_EQ(run("tar -C " + dir.path("out") + " -xf " + dir.path("t.tar") + " && diff -r " +
                dir.path("in") + " " + dir.path("out")),
            "");
}

}  // namespace
}  // namespace intact::oci
