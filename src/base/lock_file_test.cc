#include <atomic>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/lock_file.h>

namespace intact {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

bool exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

TEST(LockFile, KeepsOthersOutAndLeavesNothing) {
  const TempDir dir = *TempDir::create();
  const std::string path = dir.path("lock");
  {
    const auto held = LockFile::take(path, minutes(1));
    ASSERT_TRUE(held);
    EXPECT_TRUE(exists(path));
    const auto second = LockFile::take(path, milliseconds(0));
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind(), ErrorKind::busy);
  }
  EXPECT_FALSE(exists(path));
  EXPECT_TRUE(LockFile::take(path, milliseconds(0)));
}

TEST(LockFile, AnOldFileIsNoLock) {
  const TempDir dir = *TempDir::create();
  const std::string path = dir.path("lock");
  ASSERT_TRUE(open_file(path, O_WRONLY | O_CREAT, 0600));
  EXPECT_TRUE(LockFile::take(path, milliseconds(0)));
  EXPECT_FALSE(exists(path));
}

TEST(LockFile, LetsOneInAtATime) {
  const TempDir dir = *TempDir::create();
  const std::string path = dir.path("lock");
  std::atomic<int> inside = 0;
  std::atomic<bool> crowded = false;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 20; ++j) {
        const auto lock = LockFile::take(path, minutes(1));
        if (!lock || ++inside != 1) crowded = true;
        std::this_thread::yield();
        --inside;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(crowded);
  EXPECT_FALSE(exists(path));
}

}  // namespace
}  // namespace intact
