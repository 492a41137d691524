#include <csignal>
#include <utility>

#include <gtest/gtest.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/service/background.h>
#include <intact/service/mount_record.h>

#include "runtime_files.h"

namespace intact::service {
namespace {

class MountRecords : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto dir = make_runtime_dir();
    if (!dir) GTEST_SKIP() << dir.error().message();
  }
  // A number that no file system has.
  std::string device_ = "4095:" + std::to_string(::getpid());
};

TEST_F(MountRecords, TellWhetherTheServerLives) {
  EXPECT_FALSE(MountServer::find(device_, ::geteuid()).is_running());
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const auto started = run_in_background([&](BackgroundProcess& process) -> Result<void> {
    writer.reset();
    const auto record = TRY(MountRecord::create(device_));
    {
      EXPECT_TRUE(tell_ready(process.take_ready()));
    }
    (void)read_fd(reader.get(), 10).has_value();  // until the parent lets go
    return {};
  });
  ASSERT_TRUE(started) << started.error().message();
  reader.reset();
  const MountServer server = MountServer::find(device_, ::geteuid());
  EXPECT_TRUE(server.is_running());
  EXPECT_FALSE(server.wait_for_end(std::chrono::milliseconds(30)));
  writer.reset();
  EXPECT_TRUE(server.wait_for_end(std::chrono::seconds(250)));
  EXPECT_FALSE(MountServer::find(device_, ::geteuid()).is_running());
}

TEST_F(MountRecords, OfAKilledServerAreReplaced) {
  const auto killed = run_in_background([&](BackgroundProcess&) -> Result<void> {
    const auto record = TRY(MountRecord::create(device_));
    ::kill(::getpid(), SIGKILL);
    return {};
  });
  ASSERT_FALSE(killed);
  EXPECT_FALSE(MountServer::find(device_, ::geteuid()).is_running());
  const auto again = run_in_background([&](BackgroundProcess& process) -> Result<void> {
    const auto record = TRY(MountRecord::create(device_));
    EXPECT_TRUE(tell_ready(process.take_ready()));
    return {};
  });
  EXPECT_TRUE(again);
  EXPECT_TRUE(MountServer::find(device_, ::geteuid()).wait_for_end(std::chrono::seconds(250)));
}

TEST_F(MountRecords, OfTwoServersOfOneNumberAreTold) {
  // The first has unmounted and is still closing when the kernel gives its number to the second.
  Result<MountRecord> first = MountRecord::create(device_);
  ASSERT_TRUE(first);
  const MountServer ending = MountServer::find(device_, ::geteuid());
  {
    const Result<MountRecord> second = MountRecord::create(device_);
    ASSERT_TRUE(second);
    {
      const MountRecord ended = std::move(*first);
    }
    // The end of the first leaves the record of the second.
    EXPECT_TRUE(MountServer::find(device_, ::geteuid()).is_running());
    EXPECT_TRUE(ending.is_running());  // this process, which holds both
  }
  EXPECT_FALSE(MountServer::find(device_, ::geteuid()).is_running());
}

TEST_F(MountRecords, AreNotRead) {
  // Only the lock counts: what a record says may be anything.
  const std::string dir = *make_runtime_dir();
  const std::string path = dir + "/mount-" + device_ + ".pid";
  for (const std::string_view content : {"", "1\n", "-1", "99999999999999999999", "\xff\n"}) {
    ASSERT_TRUE(write_file_durably(path, as_bytes(content), 0600));
    EXPECT_FALSE(MountServer::find(device_, ::geteuid()).is_running());
  }
  ::unlink(path.c_str());
  ASSERT_EQ(::symlink("/dev/zero", path.c_str()), 0);
  EXPECT_FALSE(MountServer::find(device_, ::geteuid()).is_running());
  ::unlink(path.c_str());
}

}  // namespace
}  // namespace intact::service
