// Processes that die and disks that fill up in the middle of something.
#include <random>

#include <signal.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "test_images.h"

namespace intact::store {
namespace {

const std::vector<std::string>& base_contents() {
  static const std::vector<std::string> contents = {make_content(9000, 1), "one", "two"};
  return contents;
}
const std::vector<std::string>& new_contents() {
  static const std::vector<std::string> contents = {make_content(9000, 1), make_content(20000, 2),
                                                    make_content(300000, 3), "two", "three"};
  return contents;
}

/// What must hold after any crash: the old image is whole, so is the new one if it has a name;
/// a second pull and a collection work, and leave nothing over.
void expect_recovers(const std::string& path) {
  const auto store = must(Store::open(path));
  const FsckReport report = fsck(*store);
  for (const StoreDamage& damage : report.damaged) ADD_FAILURE() << damage_line(damage);
  EXPECT_TRUE(report.foreign.empty());
  expect_readable(*store, base_contents());
  if (store->find("new")) expect_readable(*store, new_contents());
  EXPECT_OK(collect(*store));
  EXPECT_OK(pull(*must(Store::open_or_create(path)), "new", new_contents()));
  expect_readable(*store, new_contents());
  EXPECT_OK(store->remove("new"));
  EXPECT_OK(collect(*store));
  const FsckReport after = fsck(*store);
  EXPECT_TRUE(after.ok());
  EXPECT_EQ(after.garbage, 0u);
  EXPECT_EQ(must(list_directory(store->dir_fd(), "staging")).size(), 0u);
}

class CrashTest : public StoreTest {
 protected:
  CrashTest() { must(pull(*store_, "base", base_contents())); }

  /// Runs `work` in a process that is killed before its n-th system call; false once it ends
  /// earlier by itself.
  bool killed_at_call(int n, const std::function<void()>& work) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
      ::raise(SIGSTOP);
      work();
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    // The child dies with us, whatever happens here.
    ::ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_EXITKILL);
    // Every call stops twice: before and after it. Killed between two calls or within one.
    for (int stops = 0; stops < n; ++stops) {
      ::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
      ::waitpid(child, &status, 0);
      if (WIFEXITED(status)) {
        EXPECT_EQ(WEXITSTATUS(status), 0);
        return false;
      }
    }
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    return true;
  }
};

TEST_F(CrashTest, APullMayDieAtAnySystemCall) {
  int n = 1;
  while (killed_at_call(n, [this] {
    const auto store = Store::open_or_create(path_);
    if (!store || !pull(**store, "new", new_contents())) ::_exit(1);
  })) {
    expect_recovers(path_);
    if (HasFailure()) FAIL() << "after " << n << " stops";
    n += 7;  // odd: entries and returns take turns
  }
  EXPECT_GT(n, 200);
  std::printf("killed at up to %d of the stops at system calls, every 7th\n", n);
}

TEST_F(CrashTest, ACollectionMayDieAtAnySystemCall) {
  int n = 1;
  bool killed = true;
  while (killed) {
    must(pull(*store_, "new", new_contents()));
    must(store_->remove("new"));
    killed = killed_at_call(n, [this] {
      const auto store = Store::open(path_);
      if (!store || !collect(**store)) ::_exit(1);
    });
    expect_recovers(path_);
    if (HasFailure()) FAIL() << "after " << n << " stops";
    n += 211;
  }
  EXPECT_GT(n, 500);
}

TEST_F(CrashTest, ProcessesMayBeKilledAtRandomTimes) {
  std::mt19937 random(20);
  for (int round = 0; round < 20; ++round) {
    std::vector<pid_t> children;
    for (int i = 0; i < 2; ++i) {
      const pid_t child = ::fork();
      if (child == 0) {
        const auto store = Store::open(path_);
        for (;;) {
          if (!pull(**store, "new", new_contents())) ::_exit(1);
          if (i == 1) {
            (void)(*store)->remove("new");
            if (!collect(**store)) ::_exit(2);
          }
        }
      }
      children.push_back(child);
    }
    ::usleep(static_cast<useconds_t>(1000 + random() % 20000));
    for (const pid_t child : children) {
      ::kill(child, SIGKILL);
      int status = 0;
      ::waitpid(child, &status, 0);
      EXPECT_TRUE(WIFSIGNALED(status)) << "a child failed with " << WEXITSTATUS(status);
    }
    expect_recovers(path_);
  }
}

TEST_F(CrashTest, MakingAStoreMayDieAtAnySystemCall) {
  const std::string path = dir_.path("new");
  int n = 1;
  while (killed_at_call(n, [&] {
    if (!Store::open_or_create(path)) ::_exit(1);
  })) {
    EXPECT_OK(Store::open_or_create(path));
    must(remove_tree(path));
    n += n < 100 ? 3 : 151;
  }
}

TEST_F(CrashTest, AFullDiskLeavesTheStoreAsItWas) {
  const std::string at = dir_.path("small");
  must(make_directories(at));
  if (::mount("tmpfs", at.c_str(), "tmpfs", 0, "size=3m") != 0)
    GTEST_SKIP() << "cannot mount a tmpfs here";
  {
    const std::string path = at + "/store";
    const auto store = must(Store::open_or_create(path));
    must(pull(*store, "base", base_contents()));
    const std::vector<std::string> large = {"small", make_content(2000000, 1),
                                            make_content(2000000, 2)};
    const auto failed = pull(*store, "large", large);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().kind(), ErrorKind::io) << failed.error().message();
    EXPECT_THAT(failed.error().message(), testing::HasSubstr("No space left"));
    EXPECT_TRUE(must(list_directory(store->dir_fd(), "staging")).empty());
    EXPECT_EQ(fsck(*store).garbage, 0u);

    // Full to the last page and inode: what is there can still be used, removed and collected.
    UniqueFd filler = must(open_file(at + "/filler", O_WRONLY | O_CREAT, 0644));
    const Bytes page(4096);
    while (write_all(filler.get(), page)) {
    }
    EXPECT_FALSE(pull(*store, "more", {"a", "b"}));
    {
      const Lease lease = must(Lease::take(*store, must(store->find("base"))));
      EXPECT_TRUE(lease.held());
      must(store->remove("base"));
      must(collect(*store));
      expect_readable(*store, base_contents());
    }
    EXPECT_GT(must(collect(*store)).objects, 0u);
    filler.reset();
    ASSERT_EQ(::unlink((at + "/filler").c_str()), 0);
    must(pull(*store, "base", base_contents()));
    expect_recovers(path);
  }
  EXPECT_EQ(::umount2(at.c_str(), MNT_DETACH), 0);
}

}  // namespace
}  // namespace intact::store
