#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/service/runtime_files.h>

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

}  // namespace
}  // namespace intact::service
