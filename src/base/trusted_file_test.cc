#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/trusted_file.h>

namespace intact {
namespace {

constexpr uid_t kForeign = 54321;
constexpr uid_t kAnother = 54322;

class TrustedFileTest : public testing::Test {
 protected:
  TempDir temp_ = *TempDir::create();
  const std::string dir_ = temp_.path("dir");
  const std::string file_ = dir_ + "/file";

  void SetUp() override {
    ASSERT_EQ(::mkdir(dir_.c_str(), 0755), 0);
    ASSERT_TRUE(write_file_durably(file_, as_bytes("content"), 0644));
  }
  static std::string open(const std::string& path,
                          TrustedOwner owner = TrustedOwner::root_or_self) {
    const auto fd = open_trusted_file(path, owner);
    if (!fd) return std::string(to_string(fd.error().kind()));
    return std::string(as_text(*read_fd(fd->get(), 100)));
  }
  static void mode(const std::string& path, mode_t mode) {
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
  }
  static void own(const std::string& path, uid_t user) {
    ASSERT_EQ(::lchown(path.c_str(), user, user), 0);
  }
};

const std::string kUntrusted(to_string(ErrorKind::untrusted));

TEST_F(TrustedFileTest, OnlyItsOwnerMayWriteIt) {
  EXPECT_EQ(open(file_), "content");
  for (const mode_t bad : {0646, 0666, 0622}) {
    mode(file_, bad);
    EXPECT_EQ(open(file_), kUntrusted) << std::oct << bad;
    EXPECT_EQ(open(file_, TrustedOwner::anyone), kUntrusted) << std::oct << bad;
  }
  mode(file_, 0400);
  EXPECT_EQ(open(file_), "content");
}

TEST_F(TrustedFileTest, NorMayOthersWriteTheDirectories) {
  for (const std::string& path : {dir_, temp_.path()}) {
    mode(path, 0777);
    EXPECT_EQ(open(file_), kUntrusted) << path;
    EXPECT_EQ(open(file_, TrustedOwner::anyone), kUntrusted) << path;
    mode(path, 0755);
    EXPECT_EQ(open(file_), "content");
  }
}

TEST_F(TrustedFileTest, StickyDirectoriesKeepWhatOneHasThere) {
  mode(temp_.path(), 01777);
  EXPECT_EQ(open(file_), "content");
  mode(dir_, 01777);
  EXPECT_EQ(open(file_), "content");
  // A second name: somebody else may have linked an old version here.
  ASSERT_EQ(::link(file_.c_str(), temp_.path("other").c_str()), 0);
  EXPECT_EQ(open(file_), kUntrusted);
  mode(dir_, 0755);
  EXPECT_EQ(open(file_), "content");
}

TEST_F(TrustedFileTest, FollowsSymbolicLinksAndChecksTheirPathsToo) {
  const std::string link = temp_.path("link");
  ASSERT_EQ(::symlink("dir/../dir/file", link.c_str()), 0);
  EXPECT_EQ(open(link), "content");
  ASSERT_EQ(::symlink(dir_.c_str(), temp_.path("way").c_str()), 0);
  EXPECT_EQ(open(temp_.path("way/file")), "content");
  mode(dir_, 0777);
  EXPECT_EQ(open(link), kUntrusted);
  EXPECT_EQ(open(temp_.path("way/file")), kUntrusted);
  ASSERT_EQ(::symlink("loop", temp_.path("loop").c_str()), 0);
  EXPECT_EQ(open(temp_.path("loop")), to_string(ErrorKind::io));
}

TEST_F(TrustedFileTest, RelativePathsAreCheckedFromTheRoot) {
  const std::unique_ptr<char, decltype(&std::free)> before(::getcwd(nullptr, 0), &std::free);
  ASSERT_EQ(::chdir(dir_.c_str()), 0);
  EXPECT_EQ(open("file"), "content");
  EXPECT_EQ(open("./../dir/file"), "content");
  mode(temp_.path(), 0777);
  EXPECT_EQ(open("file"), kUntrusted);
  ASSERT_EQ(::chdir(before.get()), 0);
}

TEST_F(TrustedFileTest, OwnersAreRootAndTheUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  for (const std::string& path : {file_, dir_}) {
    own(path, kForeign);
    EXPECT_EQ(open(file_), kUntrusted) << path;
    own(path, 0);
    EXPECT_EQ(open(file_), "content");
  }
  const std::string link = temp_.path("link");
  ASSERT_EQ(::symlink("dir/file", link.c_str()), 0);
  EXPECT_EQ(open(link), "content");
  own(link, kForeign);
  EXPECT_EQ(open(link), kUntrusted);
}

// Who owns a directory, or may write to it, can have removed what is missing from it.
TEST_F(TrustedFileTest, AMissingFileIsOnlyMissingWhereNobodyElseRemovesFiles) {
  const std::string missing(to_string(ErrorKind::not_found));
  const auto open_anywhere = [](const std::string& path) {
    const auto fd = open_trusted_file(path, TrustedOwner::root_or_self, Removable::anywhere);
    return std::string(fd ? "open" : to_string(fd.error().kind()));
  };
  for (const std::string& path : {dir_ + "/none", dir_ + "/none/file"}) {
    const bool in_directory = path.ends_with("/none");
    EXPECT_EQ(open(path), missing);
    EXPECT_EQ(open_anywhere(path), missing);
    mode(dir_, 0777);
    EXPECT_EQ(open(path), in_directory ? kUntrusted : missing);
    EXPECT_EQ(open_anywhere(path), kUntrusted);
    mode(dir_, 01777);
    EXPECT_EQ(open_anywhere(path), missing);
    mode(dir_, 0755);
    if (::geteuid() != 0) continue;
    own(dir_, kForeign);
    EXPECT_EQ(open(path), missing);
    EXPECT_EQ(open_anywhere(path), kUntrusted);
    own(dir_, 0);
  }
}

// Naming a file of another user means trusting that user, but nobody else.
TEST_F(TrustedFileTest, AFileThatWasNamedMayBelongToSomebodyElse) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  own(file_, kForeign);
  EXPECT_EQ(open(file_, TrustedOwner::anyone), "content");
  own(dir_, kForeign);
  EXPECT_EQ(open(file_, TrustedOwner::anyone), "content");
  own(dir_, kAnother);
  EXPECT_EQ(open(file_, TrustedOwner::anyone), kUntrusted);
  own(file_, 0);
  EXPECT_EQ(open(file_, TrustedOwner::anyone), kUntrusted);
}

// Nobody else can be in the private group of a user, but root has none.
TEST_F(TrustedFileTest, GroupsCountAsOthers) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  mode(file_, 0664);
  EXPECT_EQ(open(file_), kUntrusted);
  mode(file_, 0644);
  mode(dir_, 0775);
  EXPECT_EQ(open(file_), kUntrusted);
}

// Two users of one primary group, as `useradd -g` and `users` of some systems make them. The
// accounts are those of files that only a child sees.
TEST_F(TrustedFileTest, AGroupOfTwoUsersIsNotPrivate) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  own(dir_, kForeign);
  own(file_, kForeign);
  mode(file_, 0664);
  const auto open_among = [&](const std::string& users, const std::string& members) -> int {
    EXPECT_TRUE(write_file_durably(temp_.path("passwd"), as_bytes(users), 0644));
    EXPECT_TRUE(
        write_file_durably(temp_.path("group"), as_bytes("one:x:54321:" + members + "\n"), 0644));
    const pid_t child = ::fork();
    if (child == 0) {
      if (::unshare(CLONE_NEWNS) != 0 ||
          ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
        ::_exit(3);
      for (const char* name : {"passwd", "group"})
        if (::mount(temp_.path(name).c_str(), (std::string("/etc/") + name).c_str(), nullptr,
                    MS_BIND, nullptr) != 0)
          ::_exit(3);
      const std::string got = open(file_, TrustedOwner::anyone);
      ::_exit(got == "content" ? 0 : got == kUntrusted ? 1 : 2);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  };
  const std::string one = "one:x:54321:54321::/:/bin/sh\n";
  EXPECT_EQ(open_among(one, ""), 0);
  EXPECT_EQ(open_among(one + "two:x:54322:54322::/:/bin/sh\n", "one"), 0);
  EXPECT_EQ(open_among(one + "two:x:54322:54321::/:/bin/sh\n", ""), 1);
  EXPECT_EQ(open_among("two:x:54322:54321::/:/bin/sh\n" + one, ""), 1);
  EXPECT_EQ(open_among(one, "one,two"), 1);
}

// A list that lets user 33 write, with `group` as the bits of the owning group.
std::string list_for_another_user(char group) {
  const auto entry = [](char tag, char bits, int id) {
    std::string text{tag, 0, bits, 0};
    for (int shift = 0; shift < 32; shift += 8) text += static_cast<char>((id >> shift) & 0xff);
    return text;
  };
  return std::string("\2\0\0\0", 4) + entry(1, 7, -1) + entry(2, 6, 33) + entry(4, group, -1) +
         entry(0x10, 7, -1) + entry(0x20, 5, -1);
}

// Daemon has a private group on every Linux system: the mode alone lets nobody else write.
TEST_F(TrustedFileTest, APrivateGroupDoesNotCoverAnAccessList) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  constexpr uid_t kDaemon = 1;
  for (const std::string& path : {dir_, file_}) own(path, kDaemon);
  mode(file_, 0664);
  mode(dir_, 0775);
  EXPECT_EQ(open(file_, TrustedOwner::anyone), "content");
  for (const std::string& path : {file_, dir_}) {
    for (const char group : {'\5', '\7'}) {
      const std::string list = list_for_another_user(group);
      ASSERT_EQ(::setxattr(path.c_str(), "system.posix_acl_access", list.data(), list.size(), 0),
                0);
      EXPECT_EQ(open(file_, TrustedOwner::anyone), kUntrusted) << path;
    }
    // Its mask keeps everybody from writing.
    mode(path, path == dir_ ? 0755 : 0644);
    EXPECT_EQ(open(file_, TrustedOwner::anyone), "content") << path;
    ASSERT_EQ(::removexattr(path.c_str(), "system.posix_acl_access"), 0);
    mode(path, 0775);
    EXPECT_EQ(open(file_, TrustedOwner::anyone), "content") << path;
  }
}

TEST_F(TrustedFileTest, SaysWhatIsNotAFile) {
  ASSERT_EQ(::mkfifo(temp_.path("fifo").c_str(), 0644), 0);
  EXPECT_EQ(open(temp_.path("fifo")), to_string(ErrorKind::invalid_argument));
  EXPECT_EQ(open(dir_), to_string(ErrorKind::invalid_argument));
  EXPECT_EQ(open(file_ + "/"), to_string(ErrorKind::io));
  EXPECT_EQ(open(file_ + "/x"), to_string(ErrorKind::io));
  EXPECT_EQ(open(""), to_string(ErrorKind::not_found));
  EXPECT_EQ(open(dir_ + "/missing"), to_string(ErrorKind::not_found));
  EXPECT_EQ(open(temp_.path("missing/file")), to_string(ErrorKind::not_found));
  // Others may have removed it.
  mode(dir_, 0777);
  EXPECT_EQ(open(dir_ + "/missing"), kUntrusted);
}

TEST_F(TrustedFileTest, OpensDirectoriesForWritingInThem) {
  const auto dir = open_trusted_directory(dir_);
  ASSERT_TRUE(dir);
  EXPECT_TRUE(is_file_at(dir_, dir->get()));
  EXPECT_EQ(open_trusted_directory(file_).error().sys_errno(), ENOTDIR);
  mode(dir_, 0777);
  EXPECT_EQ(open_trusted_directory(dir_).error().kind(), ErrorKind::untrusted);
}

}  // namespace
}  // namespace intact
