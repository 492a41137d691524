// Reading files of a mounted tree: whole, in parts, at once by many, and damaged ones.

#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>

#include <gmock/gmock.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "mounted_tree.h"

namespace intact::serve {
namespace {

using namespace intact::serve::testing;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

/// Whether a read of `size` bytes at `offset` gives what the file must hold there.
::testing::AssertionResult reads_well(int fd, std::uint64_t offset, std::size_t size) {
  std::vector<std::byte> buffer(size);
  const auto count = pread_up_to(fd, offset, buffer);
  if (!count) return ::testing::AssertionFailure() << offset << ": " << count.error().message();
  if (*count != size) return ::testing::AssertionFailure() << offset << ": only " << *count;
  for (std::size_t i = 0; i < size; ++i)
    if (buffer[i] != generated_byte(offset + i))
      return ::testing::AssertionFailure() << "wrong byte at " << offset + i;
  return ::testing::AssertionSuccess();
}

UniqueFd open_for_reading(const std::string& path) {
  auto fd = open_file(path, O_RDONLY);
  if (!fd) {
    ADD_FAILURE() << fd.error().message();
    return {};
  }
  return std::move(*fd);
}

TEST(FuseContent, FilesOfAllSizesReadToTheirEndAndNotBeyond) {
  REQUIRE_FUSE();
  const std::vector<std::size_t> sizes = {0, 1, 4095, 4096, 4097, 131072, 1048576 + 1};
  tree::Tree tree;
  for (const std::size_t size : sizes) add(tree, std::to_string(size), S_IFREG | 0644, size);
  add_file(tree, "text", "hello world");
  MountedTree mounted(finish(std::move(tree)));
  for (const std::size_t size : sizes) {
    const UniqueFd fd = open_for_reading(mounted.path(std::to_string(size)));
    EXPECT_TRUE(reads_well(fd.get(), 0, size)) << size;
    std::byte beyond[10];
    EXPECT_EQ(pread_up_to(fd.get(), size, beyond).value(), 0u) << size;
    if (size > 0) {
      EXPECT_EQ(pread_up_to(fd.get(), size - 1, beyond).value(), 1u) << size;
    }
  }
  EXPECT_EQ(as_text(read_file(mounted.path("text"), 100).value()), "hello world");
}

TEST(FuseContent, EightThreadsReadOneLargeFile) {
  REQUIRE_FUSE();
  constexpr std::uint64_t kSize = 64u << 20;
  constexpr std::uint64_t kPart = 1u << 20;
  tree::Tree tree;
  add(tree, "large", S_IFREG | 0644, kSize);
  MountedTree mounted(finish(std::move(tree)));
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      const UniqueFd fd = open_for_reading(mounted.path("large"));
      for (std::uint64_t part = i; part < kSize / kPart; part += 8)
        EXPECT_TRUE(reads_well(fd.get(), part * kPart, kPart));
      std::uint64_t random = i + 1;
      for (int k = 0; k < 200; ++k) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        EXPECT_TRUE(reads_well(fd.get(), (random >> 20) % (kSize - 6000), 5000));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(FuseContent, OnlyTheDamagedPageFailsWhateverTheRequest) {
  REQUIRE_FUSE();
  constexpr std::uint64_t kBlocks = 300;
  for (const bool damaged : {false, true}) {  // the undamaged twin reads
    for (const std::uint64_t bad : {std::uint64_t{0}, std::uint64_t{37}, kBlocks - 1}) {
      tree::Tree tree;
      add(tree, "file", S_IFREG | 0644, kBlocks * kBlock - 100);
      const auto file_tree = finish(std::move(tree));
      if (damaged) file_tree->damage("file", bad);
      MountedTree mounted(file_tree);
      const UniqueFd fd = open_for_reading(mounted.path("file"));

      // One large read: all before the damage, then an error, never anything else.
      std::vector<std::byte> buffer(kBlocks * kBlock);
      const ssize_t count = ::pread(fd.get(), buffer.data(), buffer.size(), 0);
      if (!damaged) {
        EXPECT_EQ(count, static_cast<ssize_t>(kBlocks * kBlock - 100));
      } else if (bad == 0) {
        EXPECT_EQ(count, -1);
        EXPECT_EQ(errno, EIO);
      } else {
        EXPECT_EQ(count, static_cast<ssize_t>(bad * kBlock));
      }
      // Page by page, forwards and backwards.
      for (std::uint64_t i = 0; i < 2 * kBlocks; ++i) {
        const std::uint64_t block = i < kBlocks ? i : 2 * kBlocks - 1 - i;
        const std::size_t size = block == kBlocks - 1 ? kBlock - 100 : kBlock;
        if (damaged && block == bad) {
          EXPECT_EQ(::pread(fd.get(), buffer.data(), size, static_cast<off_t>(block * kBlock)), -1);
          EXPECT_EQ(errno, EIO);
        } else {
          EXPECT_TRUE(reads_well(fd.get(), block * kBlock, size));
        }
      }
    }
  }
}

TEST(FuseContent, DirectReadsSeeTheDamageToo) {
  REQUIRE_FUSE();
  tree::Tree tree;
  add(tree, "file", S_IFREG | 0644, 100 * kBlock);
  const auto file_tree = finish(std::move(tree));
  file_tree->damage("file", 50);
  MountedTree mounted(file_tree);
  const auto fd = open_file(mounted.path("file"), O_RDONLY | O_DIRECT);
  ASSERT_TRUE(fd) << fd.error().message();
  void* buffer = std::aligned_alloc(4096, 60 * kBlock);
  EXPECT_EQ(::pread(fd->get(), buffer, 60 * kBlock, 0), -1);
  EXPECT_EQ(errno, EIO);
  EXPECT_EQ(::pread(fd->get(), buffer, 50 * kBlock, 0), static_cast<ssize_t>(50 * kBlock));
  std::free(buffer);
}

TEST(FuseContent, MapsIntoMemoryAndDamageIsABusError) {
  REQUIRE_FUSE();
  constexpr std::size_t kSize = 64 * kBlock;
  tree::Tree tree;
  add(tree, "file", S_IFREG | 0644, kSize);
  const auto file_tree = finish(std::move(tree));
  file_tree->damage("file", 40);
  MountedTree mounted(file_tree);
  const std::string path = mounted.path("file");
  // In another process: a page fault must not wait for a server that shares its address space.
  const auto check_block = [&](std::size_t block) {
    return in_child([&] {
      std::signal(SIGBUS, SIG_DFL);  // not for sanitizers to explain
      const int fd = ::open(path.c_str(), O_RDONLY);
      void* at = ::mmap(nullptr, kSize, PROT_READ, MAP_SHARED, fd, 0);
      if (at == MAP_FAILED) return 1;
      const auto* bytes = static_cast<const std::byte*>(at);
      for (std::size_t i = block * kBlock; i < (block + 1) * kBlock; ++i)
        if (bytes[i] != generated_byte(i)) return 2;
      return 0;
    });
  };
  for (const std::size_t block : {0u, 39u, 41u, 63u}) EXPECT_EQ(check_block(block), 0) << block;
  const int status = check_block(40);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS) << status;
}

TEST(FuseContent, AMissingObjectIsAnInputErrorAndLogged) {
  REQUIRE_FUSE();
  tree::Tree tree;
  add(tree, "file", S_IFREG | 0644, 10);
  add(tree, "twin", S_IFREG | 0644, 10);
  const auto file_tree = finish(std::move(tree));
  file_tree->lose_object("file");
  std::mutex mutex;
  std::vector<std::string> lines;
  FuseOptions options;
  options.log = [&](std::string_view line) {
    const std::lock_guard lock(mutex);
    lines.emplace_back(line);
  };
  MountedTree mounted(file_tree, options);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(::open(mounted.path("file").c_str(), O_RDONLY), -1);
    EXPECT_EQ(errno, EIO);
  }
  EXPECT_TRUE(reads_well(open_for_reading(mounted.path("twin")).get(), 0, 10));
  EXPECT_TRUE(mounted.stop());
  EXPECT_THAT(lines, AllOf(SizeIs(3), Each(HasSubstr("object ab/cdef is missing"))));
}

TEST(FuseContent, OpenFilesHaveALimitAndClosedOnesMakeRoom) {
  REQUIRE_FUSE();
  constexpr std::size_t kLimit = 5;
  tree::Tree tree;
  for (std::size_t i = 0; i <= kLimit; ++i) add_file(tree, std::to_string(i), "content");
  std::mutex mutex;
  std::vector<std::string> lines;
  FuseOptions options;
  options.max_open_files = kLimit;
  options.log = [&](std::string_view line) {
    const std::lock_guard lock(mutex);
    lines.emplace_back(line);
  };
  MountedTree mounted(finish(std::move(tree)), options);
  std::vector<UniqueFd> files;
  for (std::size_t i = 0; i < kLimit; ++i)
    files.push_back(open_for_reading(mounted.path(std::to_string(i))));
  const std::string one_more = mounted.path(std::to_string(kLimit));
  EXPECT_EQ(::open(one_more.c_str(), O_RDONLY), -1);
  EXPECT_EQ(errno, ENFILE);
  files.pop_back();
  // The kernel tells the server of a closed file without waiting for it.
  int fd = -1;
  for (int i = 0; i < 50'000 && fd < 0; ++i) {
    fd = ::open(one_more.c_str(), O_RDONLY);
    if (fd < 0) ::usleep(5000);
  }
  EXPECT_GE(fd, 0);
  ::close(fd);
  files.clear();
  EXPECT_TRUE(mounted.stop());
  EXPECT_THAT(lines, Not(IsEmpty()));
  EXPECT_THAT(lines, Each(HasSubstr("5 files are open, which is the limit of this mount")));
}

}  // namespace
}  // namespace intact::serve
