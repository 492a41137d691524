#include <filesystem>
#include <map>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <intact/base/file.h>
#include <intact/block/device.h>
#include <intact/block/storage.h>

namespace intact::block {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

/// A /sys with a disk 8:0 that has two partitions, and with whatever a test adds.
class StorageTest : public testing::Test {
 protected:
  StorageTest() {
    sources_.sys = dir_.path();
    sources_.loop = [this](dev_t device) -> std::optional<LoopBacking> {
      const auto found = loops_.find(device);
      if (found == loops_.end()) return std::nullopt;
      return found->second;
    };
    add_device("sda", makedev(8, 0));
    add_partition("sda", "sda1", makedev(8, 1), 2048, 4096);
    add_partition("sda", "sda2", makedev(8, 2), 6144, 2048);
  }

  void put(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(dir_.path(path)).parent_path());
    ASSERT_TRUE(write_file_durably(dir_.path(path), as_bytes(text + "\n"), 0644));
  }
  static std::string text(dev_t device) {
    return std::to_string(major(device)) + ":" + std::to_string(minor(device));
  }
  void add_device(const std::string& name, dev_t device) {
    put("devices/" + name + "/dev", text(device));
    std::filesystem::create_directories(dir_.path("dev/block"));
    std::filesystem::create_symlink("../../devices/" + name,
                                    dir_.path("dev/block/" + text(device)));
  }
  void add_partition(const std::string& disk, const std::string& name, dev_t device, int start,
                     int sectors) {
    add_device(disk + "/" + name, device);
    put("devices/" + disk + "/" + name + "/partition", "1");
    put("devices/" + disk + "/" + name + "/start", std::to_string(start));
    put("devices/" + disk + "/" + name + "/size", std::to_string(sectors));
  }
  std::vector<StorageRange> device(dev_t number, std::uint64_t offset, std::uint64_t length) const {
    return storage_of_device(number, offset, length, sources_);
  }
  std::vector<StorageRange> whole(dev_t number) const { return device(number, 0, kMiB); }

  TempDir dir_ = TempDir::create().value();
  StorageSources sources_;
  std::map<dev_t, LoopBacking> loops_;
};

TEST_F(StorageTest, APartitionIsAPartOfItsDisk) {
  const auto found = device(makedev(8, 1), 512, 1024);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].device, makedev(8, 0));
  EXPECT_EQ(found[0].inode, 0u);
  EXPECT_EQ(found[0].begin, 2049 * kSectorSize);
  EXPECT_EQ(found[0].end, 2051 * kSectorSize);
  EXPECT_TRUE(found[0].exact);

  const auto disk = device(makedev(8, 0), 0, 2050 * kSectorSize);
  const auto shared = shared_storage(disk, found);
  ASSERT_TRUE(shared);
  EXPECT_EQ(shared->begin, 2049 * kSectorSize);
  EXPECT_EQ(shared->end, 2050 * kSectorSize);
  EXPECT_TRUE(shared->exact);
  EXPECT_FALSE(shared_storage(device(makedev(8, 0), 0, 2049 * kSectorSize), found));
}

TEST_F(StorageTest, PartitionsOfOneDiskAreApart) {
  EXPECT_FALSE(shared_storage(device(makedev(8, 1), 0, 4096 * kSectorSize),
                              device(makedev(8, 2), 0, 2048 * kSectorSize)));
  EXPECT_TRUE(shared_storage(whole(makedev(8, 2)), whole(makedev(8, 2))));
}

TEST_F(StorageTest, ALoopDeviceIsAPartOfItsFile) {
  loops_[makedev(7, 3)] = {
      .device = makedev(0, 40), .inode = 99, .block_device = 0, .offset = 4096, .limit = 8192};
  const auto found = device(makedev(7, 3), 0, kMiB);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].device, makedev(0, 40));
  EXPECT_EQ(found[0].inode, 99u);
  EXPECT_EQ(found[0].begin, 4096u);
  EXPECT_EQ(found[0].end, 4096u + 8192u) << "not beyond the limit of the loop device";
  // One that nothing is attached to is only itself.
  EXPECT_EQ(device(makedev(7, 4), 0, kMiB)[0].device, makedev(7, 4));
}

TEST_F(StorageTest, ALoopDeviceOfAnotherUserIsFoundInSys) {
  const std::string file = dir_.path("image");
  ASSERT_TRUE(write_file_durably(file, Bytes(4096), 0600));
  struct stat st;
  ASSERT_EQ(::stat(file.c_str(), &st), 0);
  add_device("loop3", makedev(7, 3));
  put("devices/loop3/loop/backing_file", file);
  put("devices/loop3/loop/offset", "512");
  put("devices/loop3/loop/sizelimit", "0");
  const auto found = device(makedev(7, 3), 0, 1024);
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found[0].device, st.st_dev);
  EXPECT_EQ(found[0].inode, st.st_ino);
  EXPECT_EQ(found[0].begin, 512u);
  EXPECT_EQ(found[0].end, 1536u);
  // The same file by its own name, and another one.
  const UniqueFd same = open_file(file, O_RDONLY).value();
  EXPECT_TRUE(shared_storage(storage_of(same.get(), 0, 4096, sources_).value(), found));
  EXPECT_FALSE(shared_storage(storage_of(same.get(), 0, 512, sources_).value(), found));
  ASSERT_TRUE(write_file_durably(dir_.path("other"), Bytes(4096), 0600));
  const UniqueFd other = open_file(dir_.path("other"), O_RDONLY).value();
  EXPECT_FALSE(shared_storage(storage_of(other.get(), 0, 4096, sources_).value(), found));
}

TEST_F(StorageTest, PartitionsOfALoopDeviceOnAPartitionAreFoundOnTheDisk) {
  loops_[makedev(7, 0)] = {.device = makedev(0, 5),
                           .inode = 7,
                           .block_device = makedev(8, 1),
                           .offset = 1024,
                           .limit = 0};
  add_device("loop0", makedev(7, 0));
  add_partition("loop0", "loop0p1", makedev(259, 0), 8, 16);
  const auto found = device(makedev(259, 0), 512, 512);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].device, makedev(8, 0));
  EXPECT_EQ(found[0].begin, (1 + 8 + 2 + 2048) * kSectorSize);
  EXPECT_TRUE(found[0].exact);
}

TEST_F(StorageTest, ADeviceMapperDeviceIsSomewhereOnThoseBelow) {
  for (const int n : {0, 1}) {
    const std::string name = "dm-" + std::to_string(n);
    add_device(name, makedev(253, n));
    std::filesystem::create_directories(dir_.path("devices/" + name + "/slaves"));
    std::filesystem::create_symlink("../../sda/sda1",
                                    dir_.path("devices/" + name + "/slaves/sda1"));
  }
  const auto first = whole(makedev(253, 0));
  ASSERT_EQ(first.size(), 2u);
  EXPECT_TRUE(first[0].exact);
  EXPECT_FALSE(first[1].exact);
  // It may write to any place of the partition, and to no other one.
  const auto shared = shared_storage(first, device(makedev(8, 1), kMiB, 512));
  ASSERT_TRUE(shared);
  EXPECT_FALSE(shared->exact);
  EXPECT_TRUE(shared_storage(device(makedev(8, 0), 0, 2 * kMiB), first));
  EXPECT_FALSE(shared_storage(first, whole(makedev(8, 2))));
  // Volumes of one group.
  EXPECT_FALSE(shared_storage(first, whole(makedev(253, 1))));
}

TEST_F(StorageTest, AFileIsOnTheDeviceOfItsFileSystem) {
  loops_[makedev(7, 1)] = {
      .device = makedev(8, 2), .inode = 5, .block_device = 0, .offset = 0, .limit = 0};
  loops_[makedev(7, 2)] = {
      .device = makedev(8, 2), .inode = 6, .block_device = 0, .offset = 0, .limit = 0};
  EXPECT_TRUE(shared_storage(whole(makedev(7, 1)), whole(makedev(8, 2))));
  EXPECT_FALSE(shared_storage(whole(makedev(7, 1)), whole(makedev(8, 1))));
  EXPECT_FALSE(shared_storage(whole(makedev(7, 1)), whole(makedev(7, 2)))) << "two files";
}

TEST_F(StorageTest, WhatNamesItselfEnds) {
  loops_[makedev(7, 1)] = {.device = makedev(0, 5),
                           .inode = 1,
                           .block_device = makedev(7, 1),
                           .offset = ~std::uint64_t{0},
                           .limit = 0};
  EXPECT_EQ(whole(makedev(7, 1)).size(), 1u);
}

}  // namespace
}  // namespace intact::block
