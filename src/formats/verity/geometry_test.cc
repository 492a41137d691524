#include <algorithm>
#include <bit>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <intact/block/memory_device.h>
#include <intact/crypto/hash.h>
#include <intact/verity/params.h>

#include "build.h"

namespace intact::verity {
namespace {

/// The layout by the words of the format's description, with divisions where Geometry shifts:
/// blocks of each level, level 0 first.
std::vector<std::uint64_t> plain_levels(std::uint64_t data_blocks, std::uint64_t per_block) {
  std::vector<std::uint64_t> levels;
  for (std::uint64_t below = data_blocks; below != 1; below = levels.back())
    levels.push_back(below / per_block + (below % per_block == 0 ? 0 : 1));
  return levels;
}

/// The largest power of two of digests that a hash block holds, by trying.
std::uint64_t plain_per_block(std::size_t digest_size, std::uint32_t block_size) {
  std::uint64_t per = 1;
  while (2 * per * digest_size <= block_size) per *= 2;
  return per;
}

TEST(Geometry, IsThatOfAPlainImplementationFor70000Sizes) {
  for (const std::uint32_t block : {512u, 1024u, 4096u})
    for (const auto& [hash, digest_size] :
         {std::pair<std::string, std::size_t>{"sha1", 20}, {"sha256", 32}, {"sha512", 64}}) {
      const std::uint64_t per = plain_per_block(digest_size, block);
      for (std::uint64_t blocks = 1; blocks <= 70000; ++blocks) {
        const auto geometry = Geometry::create({.hash = hash,
                                                .data_block_size = block,
                                                .hash_block_size = block,
                                                .data_blocks = blocks});
        ASSERT_TRUE(geometry);
        const auto expected = plain_levels(blocks, per);
        const auto& levels = geometry->levels();
        ASSERT_EQ(levels.size(), expected.size()) << blocks;
        std::uint64_t place = 0;
        for (std::size_t level = levels.size(); level-- > 0;) {
          ASSERT_EQ(levels[level].blocks, expected[level]) << blocks;
          ASSERT_EQ(levels[level].first_block, place) << blocks;
          place += expected[level];
        }
        ASSERT_EQ(geometry->hash_blocks(), place);
        ASSERT_EQ(geometry->hashes_per_block(), per);
      }
    }
}

/// A tree made one digest at a time, level by level, all of it in memory.
struct PlainTree {
  PlainTree(const Params& params, ByteSpan data) {
    const std::size_t digest_size = digest(params, data.first(params.data_block_size)).size();
    const std::size_t cell =
        params.hash_type == HashType::normal ? std::bit_ceil(digest_size) : digest_size;
    const std::uint64_t per = plain_per_block(digest_size, params.hash_block_size);
    std::vector<Bytes> levels;
    std::vector<Bytes> digests = digests_of(params, data, params.data_block_size);
    while (digests.size() > 1) {
      Bytes level((digests.size() + per - 1) / per * params.hash_block_size);
      for (std::size_t i = 0; i < digests.size(); ++i)
        std::ranges::copy(digests[i],
                          level.begin() + static_cast<std::ptrdiff_t>(
                                              i / per * params.hash_block_size + i % per * cell));
      digests = digests_of(params, level, params.hash_block_size);
      levels.push_back(std::move(level));
    }
    root = digests[0];
    for (auto level = levels.rbegin(); level != levels.rend(); ++level)
      area.insert(area.end(), level->begin(), level->end());
  }

  static Bytes digest(const Params& params, ByteSpan block) {
    crypto::Hasher hasher(params.hash == "sha512" ? HashAlgorithm::sha512 : HashAlgorithm::sha256);
    if (params.hash_type == HashType::normal) hasher.update(params.salt);
    hasher.update(block);
    if (params.hash_type != HashType::normal) hasher.update(params.salt);
    return *from_hex(hasher.finish().hex());
  }
  static std::vector<Bytes> digests_of(const Params& params, ByteSpan blocks, std::size_t size) {
    std::vector<Bytes> digests;
    for (std::size_t at = 0; at < blocks.size(); at += size)
      digests.push_back(digest(params, blocks.subspan(at, size)));
    return digests;
  }

  Bytes area;
  Bytes root;
};

TEST(BuildHashTree, MakesTheTreeOfAPlainImplementation) {
  Bytes all(4097 * 512);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::byte>(i * 31 + i / 509);
  for (const std::uint32_t data_size : {512u, 1024u, 4096u})
    for (const std::uint32_t hash_size : {512u, 1024u, 4096u})
      for (const std::string hash : {"sha256", "sha512"})
        for (const HashType type : {HashType::normal, HashType::chrome_os})
          // Where levels begin: 8, 16, 32 and 128 digests in a block, and their squares.
          for (const std::uint64_t blocks :
               {1,   2,   3,   7,   8,   9,   15,  16,   17,   63,   64,   65,  127,
                128, 129, 255, 256, 257, 512, 513, 1024, 1025, 4095, 4096, 4097}) {
            if (blocks * data_size > all.size()) continue;
            const Params params{.hash_type = type,
                                .hash = hash,
                                .data_block_size = data_size,
                                .hash_block_size = hash_size,
                                .data_blocks = blocks,
                                .salt = Bytes(9, std::byte{0x5a})};
            const block::MemoryDevice data(
                Bytes(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(blocks * data_size)));
            const PlainTree plain(params, data.bytes());
            block::MemoryDevice area{Bytes(plain.area.size())};
            ASSERT_EQ(Geometry::create(params)->hash_size(), plain.area.size());
            EXPECT_EQ(*build_hash_tree(params, data, area, 0, 1), plain.root) << blocks;
            EXPECT_EQ(area.bytes(), plain.area) << blocks;
          }
}

}  // namespace
}  // namespace intact::verity
