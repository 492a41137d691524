#include "layout.h"

#include <gtest/gtest.h>

namespace intact::composefs {
namespace {

TEST(Chunks, AreAsFewAsPossible) {
  EXPECT_EQ(chunk_bits(1), 12u);
  EXPECT_EQ(chunk_bits(4096), 12u);
  EXPECT_EQ(chunk_bits(4097), 13u);
  EXPECT_EQ(chunk_bits(8192), 13u);
  EXPECT_EQ(chunk_bits(std::uint64_t{1} << 43), 43u);
  EXPECT_EQ(chunk_bits((std::uint64_t{1} << 43) + 1), 43u);
  EXPECT_EQ(chunk_bits(UINT64_MAX), 43u);
  EXPECT_EQ(chunk_count(1), 1u);
  EXPECT_EQ(chunk_count(std::uint64_t{1} << 43), 1u);
  EXPECT_EQ(chunk_count((std::uint64_t{1} << 43) + 1), 2u);
  EXPECT_EQ(chunk_count(std::uint64_t{1} << 53), 1024u);
}

TEST(ContentParts, MoreThanHalfABlockGetsABlock) {
  const auto check = [](std::uint64_t size, std::uint64_t blocks, std::uint32_t tail) {
    const SizeParts parts = content_parts(size);
    EXPECT_EQ(parts.blocks, blocks) << size;
    EXPECT_EQ(parts.tail, tail) << size;
  };
  check(0, 0, 0);
  check(1, 0, 1);
  check(2048, 0, 2048);
  check(2049, 1, 0);
  check(4096, 1, 0);
  check(4097, 1, 1);
  check(5000, 1, 904);
}

TEST(DirectoryPacker, BeginsABlockWhenANameDoesNotFit) {
  DirectoryPacker packer;
  // 16 entries of 12 + 244 bytes fill a block to the last byte.
  for (int i = 0; i < 16; ++i) EXPECT_FALSE(packer.add(244)) << i;
  EXPECT_EQ(packer.parts().blocks, 1u);
  EXPECT_EQ(packer.parts().tail, 0u);
  EXPECT_TRUE(packer.add(1));
  EXPECT_EQ(packer.parts().blocks, 1u);
  EXPECT_EQ(packer.parts().tail, 13u);
}

/// Everything is placed on a slot, not before its position, and its tail within one block.
TEST(Placement, TailsNeverCrossABlockBoundary) {
  for (std::uint64_t position = 1152; position < 1152 + 8192; position += 31) {
    for (const std::uint64_t head : {32u, 44u, 64u, 4000u, 4096u, 5000u}) {
      for (std::uint32_t tail = 0; tail <= 4096; tail += 4 * 31) {
        const SizeParts parts{1, tail};
        for (const bool symlink : {false, true}) {
          if (symlink && tail == 0) continue;
          const Placement placed =
              symlink ? place_symlink(position, head, parts) : place_inode(position, head, parts);
          ASSERT_EQ(placed.offset % 32, 0u);
          ASSERT_GE(placed.offset, position);
          ASSERT_LT(placed.offset, position + 32 + 4096);
          const bool moved = placed.parts.tail != tail;
          ASSERT_EQ(placed.parts.blocks, moved ? 2u : 1u);
          ASSERT_EQ(placed.end, placed.offset + head + placed.parts.tail);
          if (placed.parts.tail > 0) {
            ASSERT_EQ((placed.offset + head) / 4096, (placed.end - 1) / 4096);
          }
          // The writer relies on it: placed again it stays.
          const Placement again = symlink ? place_symlink(placed.offset, head, parts)
                                          : place_inode(placed.offset, head, parts);
          ASSERT_EQ(again.offset, placed.offset);
          ASSERT_EQ(again.end, placed.end);
        }
      }
    }
  }
}

}  // namespace
}  // namespace intact::composefs
