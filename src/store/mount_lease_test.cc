#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <intact/base/file.h>
#include <intact/store/lease.h>

#include "layout.h"
#include "test_images.h"

namespace intact::store {
namespace {

/// Whether F_SETLEASE works where the test's store lies.
bool can_tell_open_files(const std::string& dir) {
  must(write_file_durably(dir + "/probe", {}, 0600));
  const UniqueFd fd = must(open_file(dir + "/probe", O_RDONLY));
  const bool can = !is_open_elsewhere(fd.get());
  ::unlink((dir + "/probe").c_str());
  return can;
}

class MountLeaseTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    if (!can_tell_open_files(path_)) GTEST_SKIP() << "no F_SETLEASE here";
    must(pull(*store_, "a", {"x"}));
    image_ = must(store_->find("a")).image.digest;
  }

  /// What the kernel does for a mount: it opens the file anew.
  UniqueFd mount(const MountLease& lease) {
    return must(open_file("/proc/self/fd/" + std::to_string(lease.image()), O_RDONLY));
  }

  Digest image_;
};

TEST_F(MountLeaseTest, TellsWhetherAFileIsOpenElsewhere) {
  const std::string path = path_ + "/images/" + image_.hex();
  const UniqueFd fd = must(open_file(path, O_RDONLY));
  EXPECT_FALSE(is_open_elsewhere(fd.get()));
  {
    const UniqueFd other = must(open_file(path, O_RDONLY));
    EXPECT_TRUE(is_open_elsewhere(fd.get()));
  }
  EXPECT_FALSE(is_open_elsewhere(fd.get()));
  const UniqueFd other = must(open_file(path, O_PATH));  // opens nothing
  EXPECT_FALSE(is_open_elsewhere(fd.get()));
}

TEST_F(MountLeaseTest, LastsAsLongAsTheFileIsOpen) {
  UniqueFd mounted;
  {
    MountLease lease = must(MountLease::take(*store_, image_));
    mounted = mount(lease);
    lease.leave_to_kernel();
  }
  must(store_->remove("a"));
  for (int i = 0; i < 2; ++i) {
    must(collect(*store_));
    expect_readable(*store_, {"x"});
    EXPECT_EQ(fsck(*store_).garbage, 0u);
  }
  mounted.reset();
  const GcReport report = must(collect(*store_));
  EXPECT_EQ(report.leases, 1u);
  EXPECT_EQ(report.images, 1u);
  EXPECT_EQ(report.objects, 1u);
  EXPECT_TRUE(entries("leases").empty());
}

TEST_F(MountLeaseTest, KeepsItsOwnFileWhenTheImageIsPulledAgain) {
  MountLease lease = must(MountLease::take(*store_, image_));
  const UniqueFd mounted = mount(lease);
  lease.leave_to_kernel();
  // A new file takes the place of the one that is mounted.
  must(pull(*store_, "a", {"x"}));
  must(store_->remove("a"));
  must(collect(*store_));
  expect_readable(*store_, {"x"});
}

TEST_F(MountLeaseTest, EndsWithoutATraceWhenNothingWasMounted) {
  {
    const MountLease lease = must(MountLease::take(*store_, image_));
  }
  EXPECT_TRUE(entries("leases").empty());
  must(store_->remove("a"));
  EXPECT_EQ(must(collect(*store_)).images, 1u);
  EXPECT_ERROR(not_found, MountLease::take(*store_, image_));
}

TEST_F(MountLeaseTest, DiesWithAProcessThatIsKilledBeforeItMounts) {
  const pid_t child = ::fork();
  if (child == 0) {
    const MountLease lease = must(MountLease::take(*store_, image_));
    ::raise(SIGKILL);
  }
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(entries("leases").size(), 1u);
  must(store_->remove("a"));
  const GcReport report = must(collect(*store_));
  EXPECT_EQ(report.leases, 1u);
  EXPECT_EQ(report.images, 1u);
}

}  // namespace
}  // namespace intact::store
