#include "block_cache.h"

#include <gtest/gtest.h>

namespace intact::verity {
namespace {

BlockCache::Block block(int value) {
  return std::make_shared<const Bytes>(1, static_cast<std::byte>(value));
}

TEST(BlockCache, TheLeastRecentlyUsedGoesFirst) {
  BlockCache cache(3);
  for (int i = 0; i < 3; ++i) cache.insert(static_cast<std::uint64_t>(i), block(i));
  const BlockCache::Block oldest = cache.find(0);
  ASSERT_TRUE(oldest);
  cache.insert(3, block(3));
  EXPECT_FALSE(cache.find(1));
  EXPECT_TRUE(cache.find(0));
  EXPECT_TRUE(cache.find(2));
  EXPECT_TRUE(cache.find(3));
  cache.insert(4, block(4));
  EXPECT_FALSE(cache.find(0));
  EXPECT_EQ(oldest->front(), std::byte{0}) << "a block in use outlives its place";
}

TEST(BlockCache, TheFirstOfTwoEqualStays) {
  BlockCache cache(2);
  cache.insert(7, block(1));
  cache.insert(7, block(1));
  cache.insert(8, block(2));
  EXPECT_TRUE(cache.find(7));
  EXPECT_TRUE(cache.find(8));
}

}  // namespace
}  // namespace intact::verity
