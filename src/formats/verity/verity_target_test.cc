#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "test_device.h"

namespace intact::verity {
namespace {

/// Small blocks, so that few of them make three levels: 16 digests in a hash block.
Params small(std::uint64_t blocks) {
  return {.data_block_size = 512,
          .hash_block_size = 512,
          .data_blocks = blocks,
          .salt = Bytes(7, std::byte{3})};
}

Result<Bytes> read(const VerityTarget& target, std::uint64_t offset, std::size_t length) {
  Bytes out(length, std::byte{0xee});
  TRY(target.read(offset, out));
  return out;
}

TEST(VerityTarget, GivesTheDataInPiecesOfAnyLength) {
  for (const std::uint64_t blocks : {1, 2, 16, 17, 256, 257, 1000}) {
    const TestDevice device(small(blocks));
    const auto target = device.open();
    ASSERT_TRUE(target) << target.error().message();
    const Bytes& all = device.data->bytes();
    EXPECT_EQ(*read(**target, 0, all.size()), all);
    std::mt19937 random(1);
    for (int i = 0; i < 50; ++i) {
      const std::size_t from = random() % all.size();
      const std::size_t n = random() % (all.size() - from + 1);
      EXPECT_EQ(*read(**target, from, n),
                Bytes(all.begin() + static_cast<std::ptrdiff_t>(from),
                      all.begin() + static_cast<std::ptrdiff_t>(from + n)));
    }
    EXPECT_TRUE((*target)->scan()->empty());
    EXPECT_EQ(read(**target, all.size(), 1).error().kind(), ErrorKind::malformed);
  }
}

TEST(VerityTarget, MixesBlockSizesAndHashes) {
  for (const auto& [data_size, hash_size] : {std::pair{512u, 4096u}, {4096u, 512u}, {1024u, 2048u}})
    for (const std::string hash : {"sha1", "sha256", "sha384", "sha512", "sha3-256", "blake2b-512"})
      for (const HashType type : {HashType::normal, HashType::chrome_os}) {
        const TestDevice device({.hash_type = type,
                                 .hash = hash,
                                 .data_block_size = data_size,
                                 .hash_block_size = hash_size,
                                 .data_blocks = 300,
                                 .salt = Bytes(5, std::byte{1})});
        const auto target = device.open();
        ASSERT_TRUE(target) << hash;
        EXPECT_EQ(*read(**target, 0, device.data->size()), device.data->bytes());
      }
}

TEST(VerityTarget, RefusesAnotherRoot) {
  TestDevice device(small(100));
  EXPECT_TRUE(device.open());
  device.root[0] ^= std::byte{1};
  EXPECT_EQ(device.open().error().kind(), ErrorKind::tampered);
  device.root.pop_back();
  EXPECT_EQ(device.open().error().kind(), ErrorKind::invalid_argument);
}

TEST(VerityTarget, FindsEveryFlippedByte) {
  const TestDevice device(small(40));
  for (std::uint64_t byte = 0; byte < device.data->size(); byte += 7) {
    TestDevice::flip(*device.data, byte);
    const auto target = *device.open();
    EXPECT_EQ(read(*target, byte, 1).error().kind(), ErrorKind::tampered) << byte;
    const std::uint64_t other = (byte + 512) % device.data->size();
    EXPECT_TRUE(read(*target, other, 1));
    const std::vector<Damage> expected = {
        {.object = "data",
         .range = DamagedRange{.first = byte / 512, .offset = byte / 512 * 512, .bytes = 512},
         .reason = "does not match its hash"}};
    EXPECT_EQ(*target->scan(), expected);
    EXPECT_EQ(area_of(expected[0]), Area::data);
    TestDevice::flip(*device.data, byte);
  }
  for (std::uint64_t byte = 0; byte < device.hash->size(); ++byte) {
    TestDevice::flip(*device.hash, byte);
    const auto target = device.open();
    if (byte < 512) {
      EXPECT_EQ(target.error().kind(), ErrorKind::tampered);
    } else {
      ASSERT_TRUE(target);
      const auto damage = *(*target)->scan();
      ASSERT_GE(damage.size(), 2u);
      EXPECT_EQ(area_of(damage[0]), Area::hash);
      EXPECT_EQ(damage[0].range->first, byte / 512);
      EXPECT_EQ(area_of(damage[1]), Area::data);
      EXPECT_EQ(damage[1].range->first, (byte / 512 - 1) * 16);
    }
    TestDevice::flip(*device.hash, byte);
  }
  EXPECT_TRUE((*device.open())->scan()->empty());
}

TEST(VerityTarget, LeavesNoUncheckedBytesBehind) {
  const TestDevice device(small(40));
  TestDevice::flip(*device.data, 5 * 512);
  const auto target = *device.open();
  Bytes out(8 * 512, std::byte{0xee});
  EXPECT_FALSE(target->read(0, out));
  EXPECT_EQ(out, Bytes(out.size()));
}

TEST(VerityTarget, TellsTheSinkOnceOfEachBlock) {
  const TestDevice device(small(40));
  TestDevice::flip(*device.data, 5 * 512);
  TestDevice::flip(*device.data, 7 * 512);
  std::vector<std::uint64_t> told;
  const auto target = *device.open(
      {.on_damage = [&](const Damage& damage) { told.push_back(damage.range->first); }});
  EXPECT_FALSE(read(*target, 0, 40 * 512));
  EXPECT_FALSE(read(*target, 0, 40 * 512));
  EXPECT_EQ(told, (std::vector<std::uint64_t>{5, 7}));
}

TEST(VerityTarget, IgnoresOrStopsWhenAsked) {
  const TestDevice device(small(40));
  TestDevice::flip(*device.data, 5 * 512);
  const auto ignoring = *device.open({.on_corruption = OnCorruption::ignore});
  EXPECT_EQ(*read(*ignoring, 0, 40 * 512), device.data->bytes());
  EXPECT_EQ(ignoring->totals().corrupted, 1u);

  const auto stopping = *device.open({.on_corruption = OnCorruption::stop});
  EXPECT_TRUE(read(*stopping, 0, 512));
  EXPECT_FALSE(read(*stopping, 5 * 512, 512));
  EXPECT_FALSE(read(*stopping, 0, 512));
}

TEST(VerityTarget, DoesNotReadZeroBlocksWhenAsked) {
  TestDevice device(small(40));
  ASSERT_TRUE(device.data->zero(0, 20 * 512));
  device.root = *build_hash_tree(device.params, *device.data, *device.hash, 0);
  TestDevice::flip(*device.data, 3 * 512);
  EXPECT_FALSE(read(**device.open(), 0, 16 * 512));
  EXPECT_EQ(*read(**device.open({.ignore_zero_blocks = true}), 0, 16 * 512), Bytes(16 * 512));
}

TEST(VerityTarget, ChecksOnceOrAlways) {
  const TestDevice device(small(40));
  const auto always = *device.open();
  const auto once = *device.open({.check_at_most_once = true});
  EXPECT_TRUE(read(*always, 0, 512));
  EXPECT_TRUE(read(*once, 0, 512));
  TestDevice::flip(*device.data, 0);
  EXPECT_FALSE(read(*always, 0, 512));
  EXPECT_TRUE(read(*once, 0, 512));
  EXPECT_EQ(once->scan()->size(), 1u);
}

TEST(VerityTarget, CorrectsOnTheFly) {
  const TestDevice device(small(600), 8);
  const Bytes good = device.data->bytes();
  for (const std::uint64_t block : {0, 17, 599}) TestDevice::flip(*device.data, block * 512 + 3);
  for (std::uint64_t block = 0; block < device.geometry->hash_blocks(); block += 5)
    TestDevice::flip(*device.hash, block * 512 + 9);
  const auto target = device.open();
  ASSERT_TRUE(target) << target.error().message();
  EXPECT_EQ(*read(**target, 0, good.size()), good);
  EXPECT_GE((*target)->totals().corrected, 4u);
  EXPECT_EQ((*target)->totals().corrupted, 0u);
  const auto damage = *(*target)->scan();
  EXPECT_EQ(damage.size(), 3 + (device.geometry->hash_blocks() + 4) / 5);
  EXPECT_TRUE(std::ranges::all_of(damage, &Damage::correctable));
}

TEST(VerityTarget, DoesNotCorrectWhatIsBeyondTheParity) {
  const TestDevice device(small(600), 2);
  const std::uint64_t row = device.fec_geometry->row_size();
  for (std::uint64_t i = 0; i < 3; ++i) TestDevice::flip(*device.data, i * row);
  const auto target = *device.open();
  EXPECT_EQ(read(*target, 0, 1).error().kind(), ErrorKind::tampered);
  EXPECT_TRUE(read(*target, 512, 1));
}

}  // namespace
}  // namespace intact::verity
