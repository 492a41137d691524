#include "runtime_files.h"

#include <cstdlib>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/file.h>

namespace intact::service {
namespace {

class RuntimeFileTest : public testing::Test {
 protected:
  bool has(const std::string& name) const { return ::access(dir_.path(name).c_str(), F_OK) == 0; }
  TempDir dir_ = *TempDir::create();
};

TEST_F(RuntimeFileTest, ClearsAwayWhatTheDeadLeft) {
  for (const char* name : {"mount-0:40.pid", "app-1.log", "other-2.log", "foreign"})
    ASSERT_TRUE(open_file(dir_.path(name), O_WRONLY | O_CREAT, 0600));
  ASSERT_TRUE(write_file_durably(dir_.path("other-2.log"), as_bytes("DAMAGED"), 0600));
  const auto file = make_runtime_file(dir_.path(), "mount-0:41.pid");
  ASSERT_TRUE(file) << file.error().message();
  EXPECT_FALSE(has("mount-0:40.pid"));
  EXPECT_FALSE(has("app-1.log"));
  EXPECT_TRUE(has("other-2.log"));  // somebody may want to read it
  EXPECT_TRUE(has("foreign"));
}

TEST_F(RuntimeFileTest, LeavesTheFilesOfTheLiving) {
  const auto record = make_runtime_file(dir_.path(), "mount-0:40.pid");
  const auto log = make_runtime_file(dir_.path(), "app-1.log");
  ASSERT_TRUE(record && log);
  EXPECT_TRUE(make_runtime_file(dir_.path(), "mount-0:41.pid"));
  EXPECT_TRUE(has("mount-0:40.pid"));
  EXPECT_TRUE(has("app-1.log"));
}

TEST_F(RuntimeFileTest, ReplacesWhatIsHeldOnlyIfAsked) {
  const auto ending = make_runtime_file(dir_.path(), "mount-0:40.pid");
  ASSERT_TRUE(ending);
  EXPECT_FALSE(make_runtime_file(dir_.path(), "mount-0:40.pid"));
  const auto next = make_runtime_file(dir_.path(), "mount-0:40.pid", IfHeld::replace);
  ASSERT_TRUE(next) << next.error().message();
  EXPECT_TRUE(is_file_at(dir_.path("mount-0:40.pid"), next->get()));
  EXPECT_FALSE(is_file_at(dir_.path("mount-0:40.pid"), ending->get()));
}

TEST_F(RuntimeFileTest, ADeviceNumberMayComeAgain) {
  ASSERT_TRUE(make_runtime_file(dir_.path(), "mount-0:40.pid"));  // and is closed at once
  EXPECT_TRUE(make_runtime_file(dir_.path(), "mount-0:40.pid"));
}

TEST_F(RuntimeFileTest, FollowsNoLinkAndWaitsForNoFifo) {
  ASSERT_TRUE(write_file_durably(dir_.path("target"), as_bytes("precious"), 0600));
  ASSERT_EQ(::symlink("target", dir_.path("mount-0:41.pid").c_str()), 0);
  ASSERT_EQ(::symlink("target", dir_.path("a.log").c_str()), 0);
  ASSERT_EQ(::mkfifo(dir_.path("mount-0:42.pid").c_str(), 0600), 0);
  ASSERT_EQ(::mkdir(dir_.path("mount-0:43.pid").c_str(), 0700), 0);
  ::alarm(30);
  for (const char* name : {"mount-0:41.pid", "a.log", "mount-0:43.pid"})
    EXPECT_FALSE(make_runtime_file(dir_.path(), name, IfHeld::replace)) << name;
  EXPECT_TRUE(make_runtime_file(dir_.path(), "mount-0:42.pid"));  // a left record like any other
  EXPECT_TRUE(make_runtime_file(dir_.path(), "mount-0:44.pid"));
  ::alarm(0);
  EXPECT_EQ(as_text(read_file(dir_.path("target"), 100).value()), "precious");
}

TEST_F(RuntimeFileTest, WorksBeneathNoLinkedDirectory) {
  const TempDir other = *TempDir::create();
  ASSERT_EQ(::symlink(other.path().c_str(), dir_.path("link").c_str()), 0);
  EXPECT_FALSE(make_runtime_file(dir_.path("link"), "mount-0:41.pid"));
  EXPECT_FALSE(make_runtime_file(dir_.path("missing"), "mount-0:41.pid"));
}

/// Directories that $XDG_RUNTIME_DIR names, and what is thought of them.
class RuntimeDirTest : public testing::Test {
 protected:
  RuntimeDirTest() { ::setenv("XDG_RUNTIME_DIR", top_.path().c_str(), 1); }
  ~RuntimeDirTest() override {
    if (before_.empty())
      ::unsetenv("XDG_RUNTIME_DIR");
    else
      ::setenv("XDG_RUNTIME_DIR", before_.c_str(), 1);
  }
  /// Whether the directory is among those of this user.
  bool is_used() const {
    struct stat ours, theirs;
    if (::stat(path_.c_str(), &ours) != 0) return false;
    for (const UniqueFd& dir : open_runtime_dirs(::geteuid()))
      if (::fstat(dir.get(), &theirs) == 0 && theirs.st_ino == ours.st_ino) return true;
    return false;
  }

  std::string before_ = ::getenv("XDG_RUNTIME_DIR") ? ::getenv("XDG_RUNTIME_DIR") : "";
  TempDir top_ = *TempDir::create();
  std::string path_ = top_.path("intact");
};

TEST_F(RuntimeDirTest, HasToBePrivate) {
  EXPECT_FALSE(is_used());
  ASSERT_EQ(::mkdir(path_.c_str(), 0700), 0);
  EXPECT_TRUE(is_used());
  ASSERT_EQ(::chmod(path_.c_str(), 0770), 0);
  EXPECT_FALSE(is_used());
  ASSERT_EQ(::chmod(path_.c_str(), 0702), 0);
  EXPECT_FALSE(is_used());
  ASSERT_EQ(::chmod(path_.c_str(), 0755), 0);
  EXPECT_TRUE(is_used());
}

TEST_F(RuntimeDirTest, IsNoLink) {
  const TempDir other = *TempDir::create();
  ASSERT_EQ(::symlink(other.path().c_str(), path_.c_str()), 0);
  EXPECT_FALSE(is_used());
}

// Another user can make /tmp/intact-UID before its owner does.
TEST_F(RuntimeDirTest, IsBelowTheHomeDirectoryIfNothingElseIsPrivate) {
  if (::geteuid() == 0) GTEST_SKIP() << "root has /run/intact";
  ASSERT_EQ(::mkdir(path_.c_str(), 0777), 0);
  ASSERT_EQ(::chmod(path_.c_str(), 0777), 0);
  ::setenv("XDG_STATE_HOME", top_.path("a/b").c_str(), 1);
  const auto made = make_runtime_dir();
  const auto open = open_runtime_dirs(::geteuid());
  ::unsetenv("XDG_STATE_HOME");
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_TRUE(*made == top_.path("a/b/intact") ||
              *made == fmt::format("/tmp/intact-{}", ::geteuid()));
  EXPECT_FALSE(open.empty());
}

}  // namespace
}  // namespace intact::service
