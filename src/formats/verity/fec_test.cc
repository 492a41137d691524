#include <algorithm>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include <intact/block/memory_device.h>
#include <intact/verity/fec.h>

namespace intact::verity {
namespace {

using block::MemoryDevice;

constexpr std::uint32_t kBlock = 512;

Bytes random_bytes(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  Bytes bytes(size);
  for (std::byte& b : bytes) b = static_cast<std::byte>(random());
  return bytes;
}

/// Covered blocks with their parity, some of which can be damaged.
struct Protected {
  Protected(unsigned roots, std::uint64_t blocks)
      : geometry(*FecGeometry::create({.roots = roots, .block_size = kBlock, .blocks = blocks})),
        good(random_bytes(geometry.covered_size(), roots)),
        covered(std::make_shared<MemoryDevice>(good)),
        parity(std::make_shared<MemoryDevice>(Bytes(geometry.size() + 3))) {
    EXPECT_TRUE(encode_fec(geometry, *covered, *parity, 3));
  }

  ByteSpan good_block(std::uint64_t block) const {
    return ByteSpan(good).subspan(block * kBlock, kBlock);
  }
  void damage(std::uint64_t block) {
    Bytes content = random_bytes(kBlock, 1000 + static_cast<unsigned>(block));
    ASSERT_TRUE(covered->write(block * kBlock, content));
  }
  void damage_bytes(std::uint64_t block, std::size_t at, std::size_t length) {
    ASSERT_TRUE(covered->write(block * kBlock + at, Bytes(length, std::byte{0x5a})));
  }
  FecDecoder decoder() const { return *FecDecoder::create(geometry, covered, parity, 3); }
  Result<std::vector<std::optional<Bytes>>> correct(
      const std::vector<std::uint64_t>& blocks) const {
    std::vector<FecDecoder::Wanted> wanted;
    for (const std::uint64_t block : blocks)
      wanted.push_back({.block = block, .accept = [this, block](ByteSpan content) {
                          return equal(content, good_block(block));
                        }});
    return decoder().correct(wanted, [&](std::uint64_t other, ByteSpan content) {
      return equal(content, good_block(other)) ? FecDecoder::State::good : FecDecoder::State::bad;
    });
  }
  Result<Bytes> correct(std::uint64_t block, bool checkable = true) const {
    return decoder().correct(
        block,
        [&](std::uint64_t other, ByteSpan content) {
          if (!checkable) return FecDecoder::State::unknown;
          return equal(content, good_block(other)) ? FecDecoder::State::good
                                                   : FecDecoder::State::bad;
        },
        [&](ByteSpan content) { return equal(content, good_block(block)); });
  }

  FecGeometry geometry;
  Bytes good;
  std::shared_ptr<MemoryDevice> covered;
  std::shared_ptr<MemoryDevice> parity;
};

TEST(FecGeometry, HasTheSizesOfVeritysetup) {
  const auto size = [](unsigned roots) {
    return FecGeometry::create({.roots = roots, .block_size = 4096, .blocks = 517})->size();
  };
  EXPECT_EQ(size(2), 24576u);
  EXPECT_EQ(size(24), 294912u);
}

TEST(FecGeometry, RefusesWhatCannotBe) {
  EXPECT_TRUE(FecGeometry::create({.roots = 2, .block_size = 4096, .blocks = 1}));
  EXPECT_FALSE(FecGeometry::create({.roots = 1, .block_size = 4096, .blocks = 1}));
  EXPECT_FALSE(FecGeometry::create({.roots = 25, .block_size = 4096, .blocks = 1}));
  EXPECT_FALSE(FecGeometry::create({.roots = 2, .block_size = 1000, .blocks = 1}));
  EXPECT_FALSE(FecGeometry::create({.roots = 2, .block_size = 4096, .blocks = 0}));
  EXPECT_FALSE(FecGeometry::create({.roots = 2, .block_size = 4096, .blocks = UINT64_MAX / 4096}));
}

TEST(Fec, CorrectsAsManyBlocksOfOneCodewordAsThereAreRoots) {
  for (const unsigned roots : {2u, 3u, 24u}) {
    Protected device(roots, 1000);
    // Neighbours in a column: one block of each row.
    const std::uint64_t step = device.geometry.row_size() / kBlock;
    for (unsigned i = 0; i < roots; ++i) device.damage(i * step + 1);
    for (unsigned i = 0; i < roots; ++i) {
      const auto corrected = device.correct(i * step + 1);
      ASSERT_TRUE(corrected) << roots << ": " << corrected.error().message();
      EXPECT_TRUE(equal(*corrected, device.good_block(i * step + 1)));
    }
    device.damage(roots * step + 1);
    EXPECT_EQ(device.correct(1).error().kind(), ErrorKind::tampered);
    // Another column is not concerned.
    EXPECT_TRUE(device.correct(2));
  }
}

TEST(Fec, FindsErrorsInBlocksThatCannotBeChecked) {
  Protected device(8, 600);
  const std::uint64_t step = device.geometry.row_size() / kBlock;
  for (unsigned i = 0; i < 4; ++i) device.damage(i * step);
  EXPECT_TRUE(device.correct(step, false));
  // The block itself, one that is guessed, and three errors that are found.
  device.damage(4 * step);
  EXPECT_TRUE(device.correct(step, false));
  device.damage(5 * step);
  EXPECT_FALSE(device.correct(step, false));
}

TEST(Fec, FindsOneBadBlockThatCannotBeChecked) {
  Protected device(2, 600);
  const std::uint64_t step = device.geometry.row_size() / kBlock;
  device.damage(0);
  device.damage(7 * step);
  EXPECT_TRUE(device.correct(0, false));
  device.damage(8 * step);
  EXPECT_FALSE(device.correct(0, false));
}

TEST(Fec, CorrectsTheLastBlockAndRowsThatEndEarly) {
  for (const std::uint64_t blocks : {1, 2, 252, 253, 254, 255, 507}) {
    Protected device(2, blocks);
    device.damage(blocks - 1);
    EXPECT_TRUE(device.correct(blocks - 1)) << blocks;
  }
}

TEST(Fec, CorrectsTheBlocksOfAGroupTogether) {
  for (const unsigned roots : {2u, 3u, 8u}) {
    Protected device(roots, 1000);
    const std::uint64_t groups = device.decoder().groups();
    ASSERT_EQ(groups, device.geometry.row_size() / kBlock);
    std::vector<std::uint64_t> bad;
    for (unsigned i = 0; i < roots; ++i) bad.push_back(i * groups + 1);
    for (const std::uint64_t block : bad) device.damage(block);
    const auto contents = device.correct(bad);
    ASSERT_TRUE(contents);
    for (std::size_t i = 0; i < bad.size(); ++i) {
      ASSERT_TRUE((*contents)[i]) << roots << " roots, block " << i;
      EXPECT_TRUE(equal(*(*contents)[i], device.good_block(bad[i])));
    }
    EXPECT_FALSE(device.correct({1, 2})) << "blocks of different groups";
  }
}

// More bad blocks than roots, but only one of them in each codeword.
TEST(Fec, CorrectsManyBlocksThatAreDamagedInDifferentPlaces) {
  Protected device(2, 2000);
  const std::uint64_t groups = device.decoder().groups();
  std::vector<std::uint64_t> bad;
  for (unsigned i = 0; i < 20; ++i) {
    bad.push_back(i * groups + 3);
    device.damage_bytes(bad.back(), 25 * i, 20);
  }
  const auto contents = device.correct(bad);
  ASSERT_TRUE(contents);
  for (std::size_t i = 0; i < bad.size(); ++i) {
    ASSERT_TRUE((*contents)[i]) << i;
    EXPECT_TRUE(equal(*(*contents)[i], device.good_block(bad[i])));
  }
  bad.push_back(30 * groups + 3);
  device.damage(bad.back());
  const auto lost = device.correct(bad);
  ASSERT_TRUE(lost);
  EXPECT_FALSE(lost->back());
}

TEST(Fec, RefusesDevicesThatAreTooSmall) {
  const auto geometry = *FecGeometry::create({.roots = 2, .block_size = kBlock, .blocks = 10});
  const auto covered = std::make_shared<MemoryDevice>(Bytes(10 * kBlock));
  const auto parity = std::make_shared<MemoryDevice>(Bytes(2 * kBlock));
  EXPECT_TRUE(FecDecoder::create(geometry, covered, parity, 0));
  EXPECT_FALSE(FecDecoder::create(geometry, covered, parity, 1));
  EXPECT_FALSE(
      FecDecoder::create(geometry, std::make_shared<MemoryDevice>(Bytes(9 * kBlock)), parity, 0));
}

}  // namespace
}  // namespace intact::verity
