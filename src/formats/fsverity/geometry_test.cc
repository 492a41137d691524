#include "geometry.h"

#include <algorithm>

#include <gtest/gtest.h>

#include <intact/fsverity/params.h>
#include <intact/fsverity/tree.h>

namespace intact::fsverity {
namespace {

TEST(Geometry, FilesOfAtMostOneBlockHaveNoTree) {
  for (const std::uint64_t size : {0, 1, 4095, 4096}) {
    const Geometry geometry(size, Params());
    EXPECT_EQ(geometry.levels().size(), 0u) << size;
    EXPECT_EQ(geometry.tree_size(), 0u) << size;
    EXPECT_EQ(geometry.data_blocks(), size == 0 ? 0u : 1u) << size;
  }
}

TEST(Geometry, LevelsGrowAtPowersOfTheHashesInABlock) {
  const std::uint64_t block = 4096;
  EXPECT_EQ(Geometry(block + 1, Params()).levels().size(), 1u);
  EXPECT_EQ(Geometry(128 * block, Params()).levels().size(), 1u);
  EXPECT_EQ(Geometry(128 * block + 1, Params()).levels().size(), 2u);
  EXPECT_EQ(Geometry(128 * 128 * block, Params()).levels().size(), 2u);
  EXPECT_EQ(Geometry(128 * 128 * block + 1, Params()).levels().size(), 3u);
  EXPECT_EQ(Geometry(64 * block + 1, {.algorithm = HashAlgorithm::sha512}).levels().size(), 2u);
}

TEST(Geometry, LevelsFollowEachOtherFromTheTopDown) {
  const Params params{.block_size = 1024};
  for (std::uint64_t blocks = 0; blocks < 3000; ++blocks) {
    const Geometry geometry(blocks * 1024, params);
    std::uint64_t next = 0;
    for (auto level = geometry.levels().rbegin(); level != geometry.levels().rend(); ++level) {
      ASSERT_EQ(level->first_block, next) << blocks;
      next += level->blocks;
    }
    ASSERT_EQ(geometry.tree_size(), next * geometry.block_size());
    std::uint64_t below = blocks;
    for (const Geometry::Level& level : geometry.levels()) {
      ASSERT_EQ(level.blocks, (below + 31) / 32) << blocks;
      below = level.blocks;
    }
    if (blocks > 1) {
      ASSERT_EQ(below, 1u);
    }
  }
}

TEST(Geometry, TheLargestFileHasAtMostEightLevelsOfTheUsualSize) {
  const Geometry geometry(INT64_MAX, Params());
  EXPECT_EQ(geometry.levels().size(), 8u);
  EXPECT_GT(geometry.tree_size(), std::uint64_t{INT64_MAX} / 128);
  EXPECT_LT(geometry.tree_size(), std::uint64_t{INT64_MAX} / 126);
}

TEST(Params, BlockSizesOutOfRangeAreRefused) {
  for (const std::uint32_t good : {1024, 2048, 4096, 16384, 65536})
    EXPECT_TRUE(check_params({.block_size = good})) << good;
  for (const std::uint32_t bad : {0, 1, 3, 512, 1023, 4095, 5000, 131072, 1 << 30}) {
    const auto checked = check_params({.block_size = bad});
    ASSERT_FALSE(checked) << bad;
    EXPECT_EQ(checked.error().kind(), ErrorKind::invalid_argument);
  }
  EXPECT_TRUE(check_params({.block_size = 64}, BlockSizes::any));
  EXPECT_FALSE(check_params({.block_size = 32}, BlockSizes::any));
  EXPECT_FALSE(
      check_params({.algorithm = HashAlgorithm::sha512, .block_size = 64}, BlockSizes::any));
  EXPECT_TRUE(check_params({.block_size = 1u << 30}, BlockSizes::any));
  EXPECT_FALSE(check_params({.block_size = 1u << 31}, BlockSizes::any));
}

TEST(Params, SaltsOverThirtyTwoBytesAreRefused) {
  EXPECT_TRUE(check_params({.salt = Bytes(32)}));
  EXPECT_FALSE(check_params({.salt = Bytes(33)}));
}

}  // namespace
}  // namespace intact::fsverity
