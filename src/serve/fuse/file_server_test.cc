#include <cerrno>
#include <optional>
#include <thread>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/block/memory_device.h>
#include <intact/serve/fuse_server.h>
#include <intact/serve/mounts.h>

#include "mounted_file.h"

namespace intact::serve::testing {
namespace {

constexpr std::size_t kBlock = 4096;

/// Bytes in memory of which one block may be bad.
class DamagedTarget final : public block::ReadOnlyDevice {
 public:
  DamagedTarget(std::size_t blocks, std::optional<std::size_t> bad) : bytes_(blocks * kBlock) {
    for (std::size_t i = 0; i < bytes_.size(); ++i)
      bytes_[i] = static_cast<std::byte>(i / kBlock * 31 + i);
    if (bad) bad_ = *bad * kBlock;
  }
  const Bytes& bytes() const { return bytes_; }
  std::uint64_t size() const override { return bytes_.size(); }
  block::Limits limits() const override { return {.block_size = kBlock}; }
  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override {
    TRY(block::check_range(size(), offset, out.size()));
    if (bad_ && offset < *bad_ + kBlock && offset + out.size() > *bad_)
      return Error(ErrorKind::tampered, "bad block");
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
    return {};
  }

 private:
  Bytes bytes_;
  std::optional<std::uint64_t> bad_;
};

TEST(FileServer, ShowsTheTargetOverTheFileAndThenTheFileAgain) {
  REQUIRE_FUSE();
  const auto target = std::make_shared<DamagedTarget>(300, std::nullopt);
  MountedFile mounted(target);
  EXPECT_EQ(read_file(mounted.path(), 1 << 24).value(), target->bytes());
  struct stat status;
  ASSERT_EQ(::stat(mounted.path().c_str(), &status), 0);
  EXPECT_TRUE(S_ISREG(status.st_mode));
  EXPECT_EQ(static_cast<std::uint64_t>(status.st_size), target->size());
  EXPECT_EQ(status.st_mode & 0777, 0400u);
  for (const int flags : {O_WRONLY, O_RDWR}) {
    EXPECT_EQ(::open(mounted.path().c_str(), flags | O_CLOEXEC), -1);
    EXPECT_EQ(errno, EROFS);
  }
  EXPECT_EQ(::truncate(mounted.path().c_str(), 0), -1);
  EXPECT_EQ(errno, EROFS);
  mounted.stop();
  EXPECT_EQ(as_text(read_file(mounted.path(), 100).value()), "what was there");
}

TEST(FileServer, OnlyTheDamagedBlockFails) {
  REQUIRE_FUSE();
  constexpr std::size_t kBlocks = 200;
  for (const std::optional<std::size_t> bad :
       {std::optional<std::size_t>(), std::optional<std::size_t>(0), std::optional<std::size_t>(77),
        std::optional<std::size_t>(kBlocks - 1)}) {  // the first is the undamaged twin
    const auto target = std::make_shared<DamagedTarget>(kBlocks, bad);
    MountedFile mounted(target);
    const UniqueFd fd = open_file(mounted.path(), O_RDONLY).value();
    for (std::size_t i = 0; i < kBlocks; ++i) {
      Bytes block(kBlock);
      const auto count = pread_up_to(fd.get(), i * kBlock, block);
      ASSERT_EQ(count.has_value(), i != bad) << i;
      if (!count) {
        EXPECT_EQ(count.error().sys_errno(), EIO);
        continue;
      }
      EXPECT_EQ(*count, kBlock);
      EXPECT_TRUE(std::equal(block.begin(), block.end(), &target->bytes()[i * kBlock])) << i;
    }
  }
}

TEST(FileServer, SeveralThreadsReadAnywhere) {
  REQUIRE_FUSE();
  const auto target = std::make_shared<DamagedTarget>(4000, std::nullopt);
  MountedFile mounted(target);
  std::vector<std::thread> threads;
  for (unsigned seed = 1; seed <= 6; ++seed)
    threads.emplace_back([&, random = std::uint64_t{seed}]() mutable {
      const UniqueFd fd = open_file(mounted.path(), O_RDONLY).value();
      for (int k = 0; k < 300; ++k) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        Bytes out(1 + (random >> 40) % 20000);
        const std::uint64_t offset = (random >> 16) % (target->size() - out.size());
        ASSERT_TRUE(pread_exact(fd.get(), offset, out));
        ASSERT_TRUE(std::equal(out.begin(), out.end(), &target->bytes()[offset]));
      }
    });
  for (std::thread& thread : threads) thread.join();
}

TEST(FileServer, MountsOverRegularFilesOnly) {
  REQUIRE_FUSE();
  const TempDir dir = make_public_dir();
  const auto target = std::make_shared<DamagedTarget>(1, std::nullopt);
  FuseOptions options;
  options.mountpoint = dir.path();
  const auto directory = FuseServer::mount_file(target, options);
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().kind(), ErrorKind::invalid_argument);
  options.mountpoint = dir.path("nothing");
  const auto missing = FuseServer::mount_file(target, options);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind(), ErrorKind::not_found);
  ASSERT_TRUE(write_file_durably(dir.path("file"), {}, 0600));
  options.mountpoint = dir.path("file");
  EXPECT_TRUE(FuseServer::mount_file(target, options));  // the twin; unmounted at once
}

}  // namespace
}  // namespace intact::serve::testing
