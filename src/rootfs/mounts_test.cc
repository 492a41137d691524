#include <gtest/gtest.h>

#include <intact/base/file.h>
#include <intact/rootfs/mounts.h>

namespace intact::rootfs {
namespace {

MountEntry entry(const std::string& type, const std::string& source) {
  return {.id = 1, .device = "0:99", .mountpoint = "/mnt", .type = type, .source = source};
}

TEST(Mounts, AreToldByTypeAndSource) {
  const auto served = as_mount(entry("fuse.intact", "app:1.0"));
  ASSERT_TRUE(served);
  EXPECT_EQ(served->image, "app:1.0");
  EXPECT_FALSE(served->by_kernel);
  const auto by_kernel = as_mount(entry("overlay", "intact:app:1.0"));
  ASSERT_TRUE(by_kernel);
  EXPECT_EQ(by_kernel->image, "app:1.0");
  EXPECT_TRUE(by_kernel->by_kernel);
  EXPECT_EQ(by_kernel->directory(), "/mnt");
  EXPECT_EQ(by_kernel->status(), "kernel");
}

TEST(Mounts, SayWhoseTheyAre) {
  MountEntry served = entry("fuse.intact", "app:1.0");
  served.super_options = "ro,user_id=1234,group_id=0";
  EXPECT_EQ(as_mount(served)->user(), std::optional<uid_t>(1234));
  MountEntry by_kernel = entry("overlay", "intact:app:1.0");
  by_kernel.super_options = "ro,user_id=1234";  // not FUSE's
  EXPECT_EQ(as_mount(by_kernel)->user(), std::nullopt);
}

TEST(Mounts, OthersAreNotOurs) {
  EXPECT_FALSE(as_mount(entry("overlay", "overlay")));
  EXPECT_FALSE(as_mount(entry("overlay", "intact")));
  EXPECT_FALSE(as_mount(entry("fuse.sshfs", "intact:app")));
  EXPECT_FALSE(as_mount(entry("ext4", "intact:app")));
}

TEST(FindMountOf, NamesWhatIsMissing) {
  const auto none = find_mount_of("no/such-image");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind(), ErrorKind::not_found);
  EXPECT_EQ(none.error().message(),
            "no/such-image: not an Intact mount; run `intact mount` to list them");
}

TEST(PrepareDirectory, RefusesTheRootUnderAnyName) {
  for (const char* name : {"/", "//", "/proc/self/root"}) {
    const auto prepared = prepare_directory(name);
    ASSERT_FALSE(prepared) << name;
    EXPECT_EQ(prepared.error().kind(), ErrorKind::invalid_argument);
    EXPECT_EQ(prepared.error().message(), "/: cannot mount there; choose a directory below it");
  }
  const TempDir dir = *TempDir::create();
  const auto prepared = prepare_directory(dir.path());
  ASSERT_TRUE(prepared) << prepared.error().message();
  EXPECT_FALSE(*prepared);
  EXPECT_EQ(prepare_directory(dir.path("nowhere")).error().kind(), ErrorKind::not_found);
}

TEST(CheckStoreIsElsewhere, RefusesADirectoryThatContainsTheStore) {
  const TempDir dir = *TempDir::create();
  ASSERT_EQ(::mkdir(dir.path("store").c_str(), 0700), 0);
  ASSERT_EQ(::mkdir(dir.path("store-2").c_str(), 0700), 0);
  ASSERT_EQ(::symlink("store", dir.path("link").c_str()), 0);
  const std::string store = dir.path("store");
  for (const std::string& directory : {dir.path(), store, dir.path("link"), store + "/."}) {
    const auto checked = check_store_is_elsewhere(store, directory);
    ASSERT_FALSE(checked) << directory;
    EXPECT_EQ(checked.error().kind(), ErrorKind::invalid_argument);
    EXPECT_EQ(checked.error().message(),
              directory + ": contains the store " + store + "; mount somewhere else");
  }
  EXPECT_TRUE(check_store_is_elsewhere(store, dir.path("store-2")));
  EXPECT_TRUE(check_store_is_elsewhere(dir.path("store-2"), store));
  EXPECT_TRUE(check_store_is_elsewhere(store, dir.path("nowhere")));
}

}  // namespace
}  // namespace intact::rootfs
