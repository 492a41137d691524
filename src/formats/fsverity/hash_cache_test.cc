#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <intact/fsverity/hash_cache.h>
#include <intact/fsverity/tree.h>
#include <intact/fsverity/verified_file.h>

#include "recent_numbers.h"
#include "test_content.h"

namespace intact::fsverity {
namespace {

using Level = HashCache::Level;

HashCache::Block block(std::size_t size, int value = 0) {
  return std::make_shared<const Bytes>(size, static_cast<std::byte>(value));
}

Digest file_digest(int number) {
  return digest_of(as_bytes(std::to_string(number)));
}

TEST(HashCache, FindsWhatWasInsertedByDigestLevelAndPlace) {
  HashCache cache;
  cache.insert(file_digest(1), Level::leaf, 7, block(4096, 1));
  cache.insert(file_digest(1), Level::leaf, 7, block(4096, 2));  // the first stays
  cache.insert(file_digest(2), Level::leaf, 7, block(4096, 3));
  EXPECT_EQ(cache.find(file_digest(1), Level::leaf, 7)->front(), std::byte{1});
  EXPECT_EQ(cache.find(file_digest(2), Level::leaf, 7)->front(), std::byte{3});
  EXPECT_FALSE(cache.find(file_digest(1), Level::upper, 7));
  EXPECT_FALSE(cache.find(file_digest(1), Level::leaf, 8));
  EXPECT_FALSE(cache.find(file_digest(3), Level::leaf, 7));
}

TEST(HashCache, TheLeastRecentlyUsedGoesFirst) {
  HashCache cache(16 * 1024);  // room for 9 leaves of 1024 bytes
  for (std::uint64_t i = 0; i < 9; ++i) cache.insert(file_digest(0), Level::leaf, i, block(1024));
  const HashCache::Block oldest = cache.find(file_digest(0), Level::leaf, 0);
  ASSERT_TRUE(oldest);
  cache.insert(file_digest(0), Level::leaf, 9, block(1024));
  EXPECT_TRUE(cache.find(file_digest(0), Level::leaf, 0));
  EXPECT_FALSE(cache.find(file_digest(0), Level::leaf, 1));
  EXPECT_TRUE(cache.find(file_digest(0), Level::leaf, 9));
}

TEST(HashCache, StaysWithinItsSizeHoweverManyFilesThereAre) {
  HashCache cache(4 << 20);
  for (int file = 0; file < 3000; ++file) {
    const Digest digest = file_digest(file);
    for (std::uint64_t i = 0; i < 2; ++i) {
      cache.insert(digest, Level::leaf, i, block(4096));
      cache.insert(digest, Level::upper, i, block(4096));
    }
    ASSERT_LE(cache.size(), cache.max_size());
  }
  EXPECT_GT(cache.size(), cache.max_size() / 4 * 3);
}

TEST(HashCache, UpperBlocksAreNotDrivenOutByLeaves) {
  HashCache cache(1 << 20);
  cache.insert(file_digest(0), Level::upper, 0, block(4096));
  for (std::uint64_t i = 0; i < 1000; ++i)
    cache.insert(file_digest(0), Level::leaf, i, block(4096));
  EXPECT_TRUE(cache.find(file_digest(0), Level::upper, 0));
}

TEST(HashCache, WhatIsBeingComputedHasALimitToo) {
  HashCache cache(1 << 20);
  constexpr std::size_t kQuarter = 1 << 18;
  EXPECT_TRUE(cache.reserve(Level::leaf, 3 * kQuarter));
  EXPECT_FALSE(cache.reserve(Level::leaf, 1));
  EXPECT_TRUE(cache.reserve(Level::upper, kQuarter)) << "leaves leave room for upper blocks";
  EXPECT_FALSE(cache.reserve(Level::upper, 1));
  cache.release(Level::leaf, 3 * kQuarter);
  EXPECT_TRUE(cache.reserve(Level::leaf, 1));
}

TEST(HashCache, ManyThreadsAtOnce) {
  HashCache cache(2 << 20);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&cache] {
      for (int i = 0; i < 5000; ++i) {
        const Digest digest = file_digest(i % 7);
        const auto index = static_cast<std::uint64_t>(i * 31 % 400);
        if (const auto found = cache.find(digest, Level::leaf, index))
          EXPECT_EQ(found->front(), static_cast<std::byte>(i % 7));
        else
          cache.insert(digest, Level::leaf, index, block(4096, i % 7));
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(cache.size(), cache.max_size());
}

/// A stored tree that counts how often it is read.
class CountingSource final : public ByteSource {
 public:
  explicit CountingSource(Bytes bytes) : source_(std::move(bytes)) {}
  std::uint64_t size() const override { return source_.size(); }
  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override {
    ++reads;
    return source_.read(offset, out);
  }
  mutable std::atomic<int> reads = 0;

 private:
  MemorySource source_;
};

TEST(SharedHashCache, TwoFilesOfOneContentShareTheirHashBlocks) {
  const Bytes content = pattern(600 * 4096);
  const ContentFile file(content);
  const MerkleTree tree = build_tree(file.fd()).value();
  const auto cache = std::make_shared<HashCache>();
  const auto stored = std::make_shared<CountingSource>(tree.blocks);
  const auto read_all = [&] {
    const auto opened =
        VerifiedFile::open(file.open(), content.size(), tree.digest, stored, {}, cache).value();
    Bytes got(content.size());
    ASSERT_TRUE(opened->read(0, got));
    EXPECT_EQ(got, content);
  };
  read_all();
  const int once = stored->reads;
  const std::size_t size = cache->size();
  EXPECT_GT(once, 1);
  read_all();
  EXPECT_EQ(stored->reads, once);
  EXPECT_EQ(cache->size(), size);
}

// The digest decides: content that was changed is not served by hashes that others brought, nor is
// content of another digest.
TEST(SharedHashCache, SharesNothingAmongDifferentContents) {
  const auto cache = std::make_shared<HashCache>();
  for (int number = 0; number < 8; ++number) {
    Bytes content = pattern(300 * 4096);
    content[static_cast<std::size_t>(number) * 9000] ^= std::byte{1};
    ContentFile file(content);
    const MerkleTree tree = build_tree(file.fd()).value();
    const auto opened = VerifiedFile::open(file.open(), content.size(), tree.digest,
                                           std::make_shared<MemorySource>(tree.blocks), {}, cache)
                            .value();
    Bytes got(content.size());
    ASSERT_TRUE(opened->read(0, got));
    EXPECT_EQ(got, content);
    file.flip(5 * 4096);
    const auto changed = opened->read(0, got);
    ASSERT_FALSE(changed);
    EXPECT_EQ(changed.error().kind(), ErrorKind::tampered);
  }
}

TEST(RecentNumbers, RemembersTheLastOnes) {
  RecentNumbers numbers;
  EXPECT_TRUE(numbers.add(5));
  EXPECT_FALSE(numbers.add(5));
  for (std::uint64_t i = 0; i < RecentNumbers::kMaxCount; ++i) numbers.add(1000 + i);
  EXPECT_FALSE(numbers.contains(5));
  EXPECT_TRUE(numbers.contains(1000));
  EXPECT_TRUE(numbers.add(5));
}

}  // namespace
}  // namespace intact::fsverity
