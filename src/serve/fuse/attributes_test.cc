// What a mounted tree shows without opening anything: names, attributes, links, xattrs.

#include <cerrno>
#include <map>

#include <dirent.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "mounted_tree.h"

namespace intact::serve {
namespace {

using namespace intact::serve::testing;
using ::testing::UnorderedElementsAre;

struct stat stat_of(const std::string& path) {
  struct stat status{};
  EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path << ": " << std::strerror(errno);
  return status;
}

std::string xattr_of(const std::string& path, const char* name) {
  char value[65536];
  const ssize_t size = ::lgetxattr(path.c_str(), name, value, sizeof value);
  return size < 0 ? std::string("error ") + std::strerror(errno)
                  : std::string(value, static_cast<std::size_t>(size));
}

TEST(FuseAttributes, AreThoseOfTheTreeForAllTypes) {
  REQUIRE_FUSE();
  tree::Tree tree;
  struct Case {
    const char* name;
    std::uint32_t mode;
    std::uint32_t rdev;
    std::uint64_t size;
    tree::Timestamp mtime;
  };
  const std::vector<Case> cases = {
      {"file", S_IFREG | 0640, 0, 1, {1700000000, 123456789}},
      {"empty", S_IFREG | 04755, 0, 0, {0, 0}},
      {"block", S_IFREG | 02755, 0, 512, {-1, 999999999}},
      {"huge", S_IFREG | 0600, 0, (1ull << 40) + 1, {1ll << 33, 1}},
      {"directory", S_IFDIR | 01777, 0, 4096, {5, 5}},
      {"null", S_IFCHR | 0666, static_cast<std::uint32_t>(makedev(1, 3)), 0, {1, 2}},
      {"disk", S_IFBLK | 0660, static_cast<std::uint32_t>(makedev(259, 70000)), 0, {1, 2}},
      {"pipe", S_IFIFO | 0600, 0, 0, {1, 2}},
      {"socket", S_IFSOCK | 0755, 0, 0, {1, 2}},
  };
  for (const Case& c : cases) {
    auto inode = add(tree, c.name, c.mode, c.size);
    inode->attributes.rdev = c.rdev;
    inode->attributes.mtime = c.mtime;
    inode->attributes.uid = 1234;
    inode->attributes.gid = 70000;
  }
  MountedTree mounted(finish(std::move(tree)));
  for (const Case& c : cases) {
    const struct stat status = stat_of(mounted.path(c.name));
    EXPECT_EQ(status.st_mode, c.mode) << c.name;
    EXPECT_EQ(status.st_rdev, c.rdev) << c.name;
    EXPECT_EQ(status.st_size, static_cast<off_t>(c.size)) << c.name;
    EXPECT_EQ(status.st_blocks, static_cast<blkcnt_t>((c.size + 511) / 512)) << c.name;
    EXPECT_EQ(status.st_blksize, 4096) << c.name;
    EXPECT_EQ(status.st_uid, 1234u) << c.name;
    EXPECT_EQ(status.st_gid, 70000u) << c.name;
    for (const timespec& time : {status.st_mtim, status.st_ctim, status.st_atim}) {
      EXPECT_EQ(time.tv_sec, c.mtime.seconds) << c.name;
      EXPECT_EQ(time.tv_nsec, static_cast<long>(c.mtime.nanoseconds)) << c.name;
    }
    EXPECT_EQ(status.st_nlink, S_ISDIR(c.mode) ? 2u : 1u) << c.name;
  }
  EXPECT_EQ(stat_of(mounted.path()).st_nlink, 3u);
  EXPECT_EQ(stat_of(mounted.path()).st_ino, 1u);
  EXPECT_TRUE(mounted.stop());
}

TEST(FuseAttributes, HardLinksAreOneInode) {
  REQUIRE_FUSE();
  tree::Tree tree;
  add(tree, "a", S_IFDIR | 0755);
  auto inode = add_file(tree, "a/first", "shared");
  tree.root().entries["second"] = {inode, true};
  add_file(tree, "other", "shared");
  MountedTree mounted(finish(std::move(tree)));
  const struct stat first = stat_of(mounted.path("a/first"));
  const struct stat second = stat_of(mounted.path("second"));
  EXPECT_EQ(first.st_ino, second.st_ino);
  EXPECT_EQ(first.st_nlink, 2u);
  EXPECT_NE(stat_of(mounted.path("other")).st_ino, first.st_ino);
}

TEST(FuseAttributes, SymlinksOfAllLengthsRead) {
  REQUIRE_FUSE();
  tree::Tree tree;
  for (const std::size_t length : {1u, 60u, 255u, 4094u, 4095u})
    add(tree, "link" + std::to_string(length), S_IFLNK | 0777, length)->payload =
        std::string(length, 'x');
  MountedTree mounted(finish(std::move(tree)));
  for (int round = 0; round < 2; ++round) {  // the second comes out of the kernel's cache
    for (const std::size_t length : {1u, 60u, 255u, 4094u, 4095u}) {
      char target[8192];
      const ssize_t size =
          ::readlink(mounted.path("link" + std::to_string(length)).c_str(), target, sizeof target);
      ASSERT_EQ(size, static_cast<ssize_t>(length));
      EXPECT_EQ(std::string(target, length), std::string(length, 'x'));
    }
  }
}

TEST(FuseAttributes, ShowXattrsWithTheProtocolOfTheSystemCalls) {
  REQUIRE_FUSE();
  tree::Tree tree;
  auto inode = add_file(tree, "file", "x");
  inode->set_xattr("user.empty", "");
  inode->set_xattr("user.binary", std::string("a\0b", 3));
  inode->set_xattr("user.long", std::string(60000, 'v'));
  inode->set_xattr("trusted.hidden", "t");
  add_file(tree, "bare", "x");
  MountedTree mounted(finish(std::move(tree)));
  const std::string file = mounted.path("file");

  char names[1024];
  const ssize_t length = ::llistxattr(file.c_str(), names, sizeof names);
  ASSERT_GT(length, 0) << std::strerror(errno);
  std::vector<std::string> listed;
  for (const char* at = names; at < names + length; at += listed.back().size() + 1)
    listed.emplace_back(at);
  if (::geteuid() == 0)
    EXPECT_THAT(listed,
                UnorderedElementsAre("user.empty", "user.binary", "user.long", "trusted.hidden"));
  else
    EXPECT_THAT(listed, UnorderedElementsAre("user.empty", "user.binary", "user.long"));

  EXPECT_EQ(xattr_of(file, "user.empty"), "");
  EXPECT_EQ(xattr_of(file, "user.binary"), std::string("a\0b", 3));
  EXPECT_EQ(xattr_of(file, "user.long"), std::string(60000, 'v'));
  EXPECT_EQ(::lgetxattr(file.c_str(), "user.binary", nullptr, 0), 3);
  char small[2];
  EXPECT_EQ(::lgetxattr(file.c_str(), "user.binary", small, sizeof small), -1);
  EXPECT_EQ(errno, ERANGE);
  EXPECT_EQ(::lgetxattr(file.c_str(), "user.absent", small, sizeof small), -1);
  EXPECT_EQ(errno, ENODATA);
  EXPECT_EQ(::llistxattr(mounted.path("bare").c_str(), names, sizeof names), 0);
}

/// An ACL in the form of its xattr: version 2 and {tag, permissions, id}.
std::string acl(std::uint16_t mask, std::uint32_t user, std::uint16_t user_permissions) {
  const auto entry = [](std::uint16_t tag, std::uint16_t permissions, std::uint32_t id) {
    std::string out;
    for (const auto byte : {tag & 255, tag >> 8, permissions & 255, permissions >> 8})
      out += static_cast<char>(byte);
    for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(id >> shift & 255);
    return out;
  };
  constexpr std::uint32_t kNobody = UINT32_MAX;
  return std::string("\2\0\0\0", 4) + entry(1, 6, kNobody) + entry(2, user_permissions, user) +
         entry(4, 0, kNobody) + entry(16, mask, kNobody) + entry(32, 0, kNobody);
}

TEST(FuseAttributes, ShowAccessControlLists) {
  REQUIRE_FUSE();
  tree::Tree tree;
  const std::string list = acl(4, 65534, 4);
  add_file(tree, "file", "x", 0640)->set_xattr("system.posix_acl_access", list);
  MountedTree mounted(finish(std::move(tree)));
  EXPECT_EQ(xattr_of(mounted.path("file"), "system.posix_acl_access"), list);
}

/// Whether a user with that uid can open the file: 0 or an errno.
int open_as(uid_t user, const std::string& path) {
  const int status = in_child([&] {
    if (::setgroups(0, nullptr) != 0 || ::setgid(user) != 0 || ::setuid(user) != 0) return 200;
    return ::open(path.c_str(), O_RDONLY) >= 0 ? 0 : errno;
  });
  return WIFEXITED(status) ? WEXITSTATUS(status) : 201;
}

std::shared_ptr<MemoryFileTree> make_tree_with_permissions() {
  tree::Tree tree;
  add_file(tree, "secret", "x", 0600);
  add_file(tree, "public", "x", 0644);
  add_file(tree, "listed", "x", 0640)->set_xattr("system.posix_acl_access", acl(4, 65534, 4));
  add_file(tree, "masked", "x", 0600)->set_xattr("system.posix_acl_access", acl(0, 65534, 4));
  return finish(std::move(tree));
}

TEST(FusePermissions, ModesAndListsHoldForOthersWhoAreLetIn) {
  REQUIRE_FUSE();
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  FuseOptions options;
  options.allow_other = true;
  MountedTree mounted(make_tree_with_permissions(), options);
  EXPECT_EQ(open_as(65534, mounted.path("public")), 0);
  EXPECT_EQ(open_as(65534, mounted.path("secret")), EACCES);
  EXPECT_EQ(open_as(65534, mounted.path("listed")), 0);
  EXPECT_EQ(open_as(65533, mounted.path("listed")), EACCES);
  EXPECT_EQ(open_as(65534, mounted.path("masked")), EACCES);
  EXPECT_EQ(open_as(0, mounted.path("secret")), 0);
}

TEST(FusePermissions, APrivateMountIsClosedToOthers) {
  REQUIRE_FUSE();
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
  MountedTree mounted(make_tree_with_permissions());
  EXPECT_EQ(open_as(65534, mounted.path("public")), EACCES);
  EXPECT_EQ(open_as(0, mounted.path("public")), 0);
}

TEST(FuseDirectory, OfTenThousandEntriesListsEachOnceInOrder) {
  REQUIRE_FUSE();
  tree::Tree tree;
  add(tree, "big", S_IFDIR | 0755);
  std::vector<std::string> names;
  for (int i = 0; i < 10000; ++i) {
    names.push_back(fmt::format("entry-{:05}{}", i, std::string(i % 40, 'n')));
    add_file(tree, "big/" + names.back(), "x");
  }
  MountedTree mounted(finish(std::move(tree)));
  for (int round = 0; round < 3; ++round) {  // from the server, and from the kernel's cache
    DIR* dir = ::opendir(mounted.path("big").c_str());
    ASSERT_NE(dir, nullptr);
    std::vector<std::string> seen;
    std::vector<long> positions;
    while (const dirent* entry = ::readdir(dir)) {
      seen.emplace_back(entry->d_name);
      positions.push_back(::telldir(dir));
      if (round == 1 && seen.size() > 2) {
        EXPECT_EQ(entry->d_type, DT_REG);
        if (seen.size() % 100 == 0) {
          EXPECT_EQ(entry->d_ino, stat_of(mounted.path("big/" + seen.back())).st_ino);
        }
      }
    }
    ASSERT_EQ(seen.size(), names.size() + 2);
    EXPECT_EQ(seen[0], ".");
    EXPECT_EQ(seen[1], "..");
    EXPECT_TRUE(std::equal(names.begin(), names.end(), seen.begin() + 2));
    for (const std::size_t at : {9000u, 1u, 2u, 5000u}) {
      ::seekdir(dir, positions[at]);
      const dirent* entry = ::readdir(dir);
      ASSERT_NE(entry, nullptr);
      EXPECT_EQ(entry->d_name, seen[at + 1]);
    }
    ::closedir(dir);
  }
}

TEST(FuseDirectory, DotsHaveTheNumbersOfTheirDirectories) {
  REQUIRE_FUSE();
  tree::Tree tree;
  add(tree, "a", S_IFDIR | 0755);
  add(tree, "a/b", S_IFDIR | 0755);
  MountedTree mounted(finish(std::move(tree)));
  DIR* dir = ::opendir(mounted.path("a/b").c_str());
  ASSERT_NE(dir, nullptr);
  std::map<std::string, ino_t> numbers;
  while (const dirent* entry = ::readdir(dir)) numbers[entry->d_name] = entry->d_ino;
  ::closedir(dir);
  EXPECT_EQ(numbers.size(), 2u);
  EXPECT_EQ(numbers["."], stat_of(mounted.path("a/b")).st_ino);
  EXPECT_EQ(numbers[".."], stat_of(mounted.path("a")).st_ino);
}

TEST(FuseMount, IsReadOnlyNosuidNodevAndSaysWhatItHolds) {
  REQUIRE_FUSE();
  tree::Tree tree;
  add_file(tree, "file", "x", 0666);
  FuseOptions options;
  options.fsname = "app:1";
  MountedTree mounted(finish(std::move(tree)), options);
  const std::string file = mounted.path("file");
  EXPECT_EQ(::open(file.c_str(), O_WRONLY), -1);
  EXPECT_EQ(errno, EROFS);
  EXPECT_EQ(::mkdir(mounted.path("d").c_str(), 0755), -1);
  EXPECT_EQ(errno, EROFS);
  EXPECT_EQ(::unlink(file.c_str()), -1);
  EXPECT_EQ(errno, EROFS);
  EXPECT_EQ(::setxattr(file.c_str(), "user.x", "y", 1, 0), -1);
  EXPECT_EQ(errno, EROFS);
  EXPECT_EQ(::access(file.c_str(), W_OK), -1);
  EXPECT_EQ(errno, EROFS);
  EXPECT_EQ(::access(file.c_str(), X_OK), -1);
  EXPECT_EQ(errno, EACCES);
  EXPECT_EQ(::access(file.c_str(), R_OK), 0);
  EXPECT_EQ(::access(mounted.path("missing").c_str(), F_OK), -1);
  EXPECT_EQ(errno, ENOENT);

  struct statvfs totals{};
  ASSERT_EQ(::statvfs(mounted.mountpoint().c_str(), &totals), 0);
  EXPECT_EQ(totals.f_flag & (ST_RDONLY | ST_NOSUID | ST_NODEV), ST_RDONLY | ST_NOSUID | ST_NODEV);
  EXPECT_EQ(totals.f_bsize, 4096u);
  EXPECT_EQ(totals.f_blocks, 11u);
  EXPECT_EQ(totals.f_bfree, 0u);
  EXPECT_EQ(totals.f_files, 2u);
  EXPECT_EQ(totals.f_namemax, 255u);

  const auto entry = find_mount(mounted.mountpoint());
  ASSERT_TRUE(entry && *entry);
  EXPECT_EQ((*entry)->type, "fuse.intact");
  EXPECT_EQ((*entry)->source, "app:1");
  EXPECT_EQ((*entry)->device, mounted.server()->device());
}

}  // namespace
}  // namespace intact::serve
