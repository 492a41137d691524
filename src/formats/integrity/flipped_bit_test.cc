// Each bit of a small device that has a meaning, the other way round.
#include <gtest/gtest.h>

#include "test_device.h"

namespace intact::integrity {
namespace {

/// With a superblock, a journal section of 16 sectors, tags and data under keys.
Params small() {
  return {.tag_size = 200,
          .journal_sectors = 16,
          .interleave_sectors = 8,
          .fix_padding = true,
          .fix_hmac = true,
          .internal_hash = named("hmac(sha256)", 32),
          .journal_mac = named("hmac(sha256)", 16)};
}

struct Flipped {
  Flipped(const TestDevice& good, std::uint64_t byte, unsigned bit) : device(good.copy()) {
    Bytes bytes = device.data->bytes();
    bytes[byte] ^= std::byte{1} << bit;
    device.data = std::make_shared<block::MemoryDevice>(bytes);
  }
  TestDevice device;
};

TEST(FlippedBit, OfDataAndTagsFailsTheirBlockAndNoOther) {
  const TestDevice good(small(), 64 << 10);
  const Bytes content = good.fill();
  const auto twin = good.must_open();
  EXPECT_EQ(read_all(*twin), content);
  const Layout& layout = twin->layout();
  std::size_t flips = 0;
  for (std::uint64_t block = 0; block < layout.provided_blocks(); ++block) {
    // Every byte of the tag; of the data every seventh, with any of its bits.
    std::vector<std::uint64_t> bytes;
    for (std::uint32_t i = 0; i < layout.tag_size(); ++i)
      bytes.push_back(layout.tag_byte(block) + i);
    for (std::uint64_t i = 0; i < 512; i += 7) bytes.push_back(layout.data_sector(block) * 512 + i);
    for (const std::uint64_t byte : bytes) {
      const Flipped flipped(good, byte, static_cast<unsigned>(byte % 8));
      const auto target = flipped.device.must_open();
      Bytes out(512);
      const auto read = target->read(block * 512, out);
      ASSERT_FALSE(read) << "byte " << byte;
      ASSERT_EQ(read.error().kind(), ErrorKind::tampered);
      const std::uint64_t other = (block + 1) % layout.provided_blocks();
      ASSERT_TRUE(target->read(other * 512, out));
      ++flips;
    }
  }
  EXPECT_GT(flips, 1000u);
}

TEST(FlippedBit, OfTheSuperblockIsRefused) {
  const TestDevice good(small(), 64 << 10);
  good.fill();
  ASSERT_TRUE(good.open());
  for (std::uint64_t byte = 0; byte < 512; ++byte) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      const Flipped flipped(good, byte, bit);
      const Bytes before = flipped.device.data->bytes();
      ASSERT_FALSE(flipped.device.open()) << "byte " << byte << " bit " << bit;
      ASSERT_EQ(flipped.device.data->bytes(), before);
    }
  }
}

/// A device that a crash left with entries in its journal.
TestDevice crashed(const TestDevice& good, Bytes& content) {
  content = good.fill();
  TestDevice left = good;
  const auto target = good.must_open();
  const Bytes news = random_content(3 * 512, 77);
  EXPECT_TRUE(target->write(1024, news));
  EXPECT_TRUE(target->flush());
  std::ranges::copy(news, content.begin() + 1024);
  left = good.copy();
  return left;
}

TEST(FlippedBit, OfTheJournalIsFoundAtTheReplay) {
  const TestDevice good(small(), 64 << 10);
  Bytes content;
  const TestDevice left = crashed(good, content);
  EXPECT_EQ(read_all(*left.copy().must_open()), content);
  const auto layout = good.must_open()->layout();
  const std::uint64_t first = layout.journal_start() * 512;
  std::size_t refused = 0, harmless = 0;
  for (std::uint64_t at = 0; at < layout.section().sectors * 512; ++at) {
    const Flipped flipped(left, first + at, static_cast<unsigned>(at % 8));
    const Bytes before = flipped.device.data->bytes();
    const auto target = flipped.device.open();
    if (!target) {
      ASSERT_EQ(flipped.device.data->bytes(), before) << "byte " << at;
      ++refused;
      continue;
    }
    // Nothing of it was in use: places of unused entries.
    ASSERT_EQ(read_all(**target), content) << "byte " << at;
    ++harmless;
  }
  EXPECT_GT(refused, 1536u + 8 * 16);  // the blocks, and every commit id
  EXPECT_GT(harmless, 0u);
}

}  // namespace
}  // namespace intact::integrity
