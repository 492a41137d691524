// Writes to a block device that is mounted as a file.
#include <atomic>
#include <cerrno>
#include <random>
#include <thread>

#include <gtest/gtest.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/block/memory_device.h>

#include "mounted_file.h"

namespace intact::serve::testing {
namespace {

constexpr std::size_t kBlock = 4096;

/// Bytes in memory that take whole blocks only, count flushes and may fail.
class DiskTarget final : public block::Device {
 public:
  explicit DiskTarget(Bytes bytes) : memory_(std::move(bytes)) {}

  std::atomic<int> flushes = 0;
  std::atomic<bool> failing = false;
  /// Not while it is mounted.
  const Bytes& bytes() const { return memory_.bytes(); }

  std::uint64_t size() const override { return memory_.size(); }
  block::Limits limits() const override { return {.block_size = kBlock, .writable = true}; }
  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override {
    return memory_.read(offset, out);
  }
  Result<void> write(std::uint64_t offset, ByteSpan bytes) override {
    TRY(check(offset, bytes.size()));
    return memory_.write(offset, bytes);
  }
  Result<void> flush() override {
    ++flushes;
    return check(0, 0);
  }
  Result<void> discard(std::uint64_t offset, std::uint64_t length) override {
    TRY(check(offset, length));
    return memory_.discard(offset, length);
  }
  Result<void> zero(std::uint64_t offset, std::uint64_t length) override {
    TRY(check(offset, length));
    return memory_.zero(offset, length);
  }

 private:
  Result<void> check(std::uint64_t offset, std::uint64_t length) const {
    if (failing) return Error::from_errno("this disk has failed", EIO);
    return block::check_blocks(*this, offset, length);
  }
  block::MemoryDevice memory_;
};

Bytes pattern(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i / kBlock * 31 + i);
  return bytes;
}

/// `offset` at any byte, a punched hole, or what O_DIRECT takes.
enum class Way { write, punch, zero_range, direct };

void change(int fd, int direct_fd, Way way, std::uint64_t offset, Bytes& model, ByteSpan bytes) {
  switch (way) {
    case Way::write:
      ASSERT_TRUE(pwrite_all(fd, offset, bytes));
      break;
    case Way::punch:
    case Way::zero_range: {
      const int mode = way == Way::punch ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE;
      if (::fallocate(fd, mode | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                      static_cast<off_t>(bytes.size())) == 0) {
        std::fill_n(&model[offset], bytes.size(), std::byte{});
        return;
      }
      ASSERT_EQ(errno, EOPNOTSUPP) << "kernels before 5.14 know no FALLOC_FL_ZERO_RANGE here";
      ASSERT_EQ(way, Way::zero_range);
      return;
    }
    case Way::direct:
      ASSERT_TRUE(pwrite_all(direct_fd, offset, bytes));
      break;
  }
  std::copy(bytes.begin(), bytes.end(), &model[offset]);
}

TEST(FileServer, EveryWriteIsReadAndReachesTheDevice) {
  REQUIRE_FUSE();
  constexpr std::size_t kSize = 64 * kBlock;
  Bytes model = pattern(kSize);
  const auto disk = std::make_shared<DiskTarget>(model);
  MountedFile mounted(disk);
  UniqueFd fd = open_file(mounted.path(), O_RDWR).value();
  UniqueFd direct = open_file(mounted.path(), O_RDWR | O_DIRECT).value();
  UniqueFd reader = open_file(mounted.path(), O_RDONLY).value();
  void* const aligned = std::aligned_alloc(kBlock, 4 * kBlock);
  std::mt19937 random(5);
  for (int step = 0; step < 600; ++step) {
    const auto way = static_cast<Way>(random() % 4);
    const bool whole = way == Way::direct;
    const std::size_t length = whole ? (1 + random() % 4) * kBlock : 1 + random() % (3 * kBlock);
    std::uint64_t offset = random() % (kSize - length + 1);
    if (whole) offset -= offset % kBlock;
    const MutableByteSpan bytes(static_cast<std::byte*>(aligned), length);
    std::ranges::generate(bytes, [&] { return static_cast<std::byte>(random()); });
    change(fd.get(), direct.get(), way, offset, model, bytes);
    // What is around it as well, out of the cache and by another descriptor.
    const std::uint64_t begin = offset - std::min<std::uint64_t>(offset, kBlock);
    Bytes seen(std::min<std::uint64_t>(length + 2 * kBlock, kSize - begin));
    ASSERT_TRUE(pread_exact(reader.get(), begin, seen));
    ASSERT_TRUE(std::equal(seen.begin(), seen.end(), &model[begin]))
        << "step " << step << ", way " << static_cast<int>(way) << ", byte " << offset;
  }
  std::free(aligned);
  for (UniqueFd* open : {&fd, &direct, &reader}) open->reset();
  mounted.stop();
  EXPECT_EQ(disk->bytes(), model);
}

TEST(FileServer, MappedWritesReachTheDevice) {
  REQUIRE_FUSE();
  const auto disk = std::make_shared<DiskTarget>(pattern(8 * kBlock));
  Bytes model = disk->bytes();
  MountedFile mounted(disk);
  UniqueFd fd = open_file(mounted.path(), O_RDWR).value();
  auto* const map = static_cast<std::byte*>(
      ::mmap(nullptr, model.size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0));
  ASSERT_NE(map, MAP_FAILED);
  for (const std::size_t at : {std::size_t{0}, 3 * kBlock + 17, 8 * kBlock - 1})
    map[at] = model[at] = std::byte{0xab};
  EXPECT_EQ(::msync(map, model.size(), MS_SYNC), 0);
  EXPECT_GT(disk->flushes, 0);
  ::munmap(map, model.size());
  fd.reset();
  mounted.stop();
  EXPECT_EQ(disk->bytes(), model);
}

TEST(FileServer, SeveralWritersOfPartsOfBlocksLoseNothing) {
  REQUIRE_FUSE();
  constexpr std::size_t kWriters = 4;
  const auto disk = std::make_shared<DiskTarget>(Bytes(64 * kBlock));
  MountedFile mounted(disk);
  std::vector<std::thread> threads;
  for (std::size_t k = 0; k < kWriters; ++k)
    threads.emplace_back([&, k] {
      // O_DIRECT: without the page cache, which would write whole pages.
      const UniqueFd fd = open_file(mounted.path(), O_WRONLY | O_DIRECT).value();
      constexpr std::size_t kPart = kBlock / kWriters;
      for (std::size_t at = k * kPart; at < disk->size(); at += kBlock)
        ASSERT_TRUE(pwrite_all(fd.get(), at, Bytes(kPart, static_cast<std::byte>(k + 1))));
    });
  for (std::thread& thread : threads) thread.join();
  mounted.stop();
  for (std::size_t i = 0; i < disk->bytes().size(); ++i)
    ASSERT_EQ(disk->bytes()[i], static_cast<std::byte>(i % kBlock / (kBlock / kWriters) + 1)) << i;
}

TEST(FileServer, FsyncFlushesAndTellsOfFailure) {
  REQUIRE_FUSE();
  const auto disk = std::make_shared<DiskTarget>(pattern(4 * kBlock));
  const Bytes before = disk->bytes();
  MountedFile mounted(disk);
  const UniqueFd fd = open_file(mounted.path(), O_RDWR).value();
  EXPECT_EQ(::fsync(fd.get()), 0);
  EXPECT_EQ(disk->flushes, 1);
  disk->failing = true;
  EXPECT_EQ(::fsync(fd.get()), -1);
  EXPECT_EQ(errno, EIO);
  Bytes out(kBlock);
  ASSERT_TRUE(pread_exact(fd.get(), kBlock, out));  // into the cache
  EXPECT_EQ(::pwrite(fd.get(), "news", 4, kBlock), -1);
  EXPECT_EQ(errno, EIO);
  ASSERT_TRUE(pread_exact(fd.get(), kBlock, out));
  EXPECT_TRUE(std::equal(out.begin(), out.end(), &before[kBlock])) << "a failed write is read";
  disk->failing = false;
  EXPECT_EQ(::pwrite(fd.get(), "news", 4, kBlock), 4);
  EXPECT_EQ(::fsync(fd.get()), 0);
}

TEST(FileServer, KeepsItsSize) {
  REQUIRE_FUSE();
  const auto disk = std::make_shared<DiskTarget>(pattern(4 * kBlock));
  const auto size = static_cast<off_t>(disk->size());
  const Bytes before = disk->bytes();
  MountedFile mounted(disk);
  const char* const path = mounted.path().c_str();
  UniqueFd fd = open_file(mounted.path(), O_RDWR).value();
  EXPECT_EQ(::pwrite(fd.get(), "x", 1, size), -1);
  EXPECT_EQ(errno, ENOSPC);
  EXPECT_EQ(::pwrite(fd.get(), "xyz", 3, size - 1), 1) << "up to the end and no further";
  for (const off_t other : {off_t{0}, size - 1, size + 1}) {
    EXPECT_EQ(::truncate(path, other), -1) << other;
    EXPECT_EQ(errno, EPERM);
  }
  EXPECT_EQ(::truncate(path, size), 0);
  EXPECT_EQ(::open(path, O_RDWR | O_TRUNC | O_CLOEXEC), -1);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(::fallocate(fd.get(), 0, 0, size + 1), -1);
  for (const int mode : {FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE})
    for (const off_t begin : {size - 1, size}) {
      EXPECT_EQ(::fallocate(fd.get(), mode, begin, 2), -1) << begin;
      EXPECT_TRUE(errno == ENOSPC || errno == EOPNOTSUPP) << errno;  // kernels before 5.14
    }
  // As in a regular file, a hole beyond the end changes nothing.
  EXPECT_EQ(::fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, size, 4096), 0);
  EXPECT_EQ(::chmod(path, 0666), -1);
  EXPECT_EQ(errno, EPERM);
  struct stat status;
  ASSERT_EQ(::stat(path, &status), 0);
  EXPECT_EQ(status.st_size, size);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  Bytes expected = before;
  expected.back() = std::byte{'x'};
  EXPECT_EQ(read_file(path, 1 << 20).value(), expected);
  fd.reset();
  mounted.stop();
  EXPECT_EQ(disk->bytes(), expected);
}

TEST(FileServer, ItsTimeIsThatOfTheLastWrite) {
  REQUIRE_FUSE();
  const auto disk = std::make_shared<DiskTarget>(pattern(kBlock));
  MountedFile mounted(disk);
  const timespec times[2] = {{.tv_sec = 5, .tv_nsec = 6}, {.tv_sec = 7, .tv_nsec = 8}};
  struct stat status;
  ASSERT_EQ(::utimensat(AT_FDCWD, mounted.path().c_str(), times, 0), 0);
  ASSERT_EQ(::stat(mounted.path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mtim.tv_sec, 7);
  EXPECT_EQ(status.st_mtim.tv_nsec, 8);
  const UniqueFd fd = open_file(mounted.path(), O_RDWR).value();
  ASSERT_EQ(::pwrite(fd.get(), "x", 1, 0), 1);
  ASSERT_EQ(::stat(mounted.path().c_str(), &status), 0);
  EXPECT_GT(status.st_mtim.tv_sec, 7);
}

}  // namespace
}  // namespace intact::serve::testing
