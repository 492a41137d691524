#include "hash_tree.h"

#include <gtest/gtest.h>

#include <intact/fsverity/tree.h>

#include "test_content.h"

namespace intact::fsverity {
namespace {

const Params kParams{.block_size = 1024};

/// Room for ten blocks of the lowest level and for the three above them.
std::shared_ptr<HashCache> small_cache() {
  return std::make_shared<HashCache>(20 * 1024);
}

struct Sample {
  explicit Sample(std::size_t bytes)
      : file(pattern(bytes)), size(bytes), tree(build_tree(file.fd(), kParams).value()) {}

  ByteSpan stored_leaf(std::uint64_t index) const {
    const std::uint64_t first = Geometry(size, kParams).levels()[0].first_block;
    return ByteSpan(tree.blocks).subspan((first + index) * 1024, 1024);
  }

  ContentFile file;
  std::size_t size;
  MerkleTree tree;
};

TEST(HashTree, BlocksThatFellOutOfTheCacheComeBack) {
  // 41 hash blocks at the lowest level, room for ten of them.
  Sample sample(1300 * 1024);
  for (const bool with_stored : {true, false}) {
    HashTree tree(sample.file.fd(), sample.size, sample.tree.digest, kParams,
                  with_stored ? std::make_shared<MemorySource>(sample.tree.blocks) : nullptr,
                  small_cache());
    ASSERT_TRUE(tree.build());
    for (std::uint64_t i = 0; i < 200; ++i) {
      const std::uint64_t index = i * 17 % 41;
      ASSERT_TRUE(equal(*tree.leaf(index).value(), sample.stored_leaf(index))) << index;
    }
    EXPECT_EQ(tree.refused(), 0u);
  }
}

TEST(HashTree, WithoutStoredTreeOrCacheChangedDataTakesItsGroupAlong) {
  Sample sample(1300 * 1024);
  HashTree tree(sample.file.fd(), sample.size, sample.tree.digest, kParams, nullptr, small_cache());
  ASSERT_TRUE(tree.build());
  sample.file.flip(20 * 32 * 1024);
  for (std::uint64_t index = 25; index < 41; ++index) ASSERT_TRUE(tree.leaf(index)) << index;
  const auto changed = tree.leaf(20);
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().kind(), ErrorKind::tampered);
  EXPECT_TRUE(tree.leaf(21));
}

TEST(HashTree, AReadErrorIsNotRememberedAsDamage) {
  Sample sample(100 * 1024);
  const UniqueFd fd = open_file(sample.file.path(), O_WRONLY).value();
  HashTree tree(fd.get(), sample.size, sample.tree.digest, kParams, nullptr,
                std::make_shared<HashCache>());
  const auto failed = tree.build();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind(), ErrorKind::io);
  ASSERT_GE(::dup3(sample.file.fd(), fd.get(), O_CLOEXEC), 0);
  EXPECT_TRUE(tree.build());
}

}  // namespace
}  // namespace intact::fsverity
