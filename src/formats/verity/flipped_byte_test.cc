// Each byte of a small volume flipped in turn: refused, corrected, or without any effect.
#include <algorithm>

#include <gtest/gtest.h>

#include <intact/verity/volume.h>

#include "test_device.h"

namespace intact::verity {
namespace {

constexpr std::uint64_t kBlocks = 20;
constexpr std::uint32_t kSize = 512;

/// Three files, as `intact verity format` makes them.
struct Volume {
  explicit Volume(bool with_fec) {
    layout.params = {.data_block_size = kSize,
                     .hash_block_size = kSize,
                     .data_blocks = kBlocks,
                     .salt = Bytes(11, std::byte{0x21})};
    Bytes content(kBlocks * kSize);
    for (std::size_t i = 0; i < content.size(); ++i)
      content[i] = static_cast<std::byte>(i * 13 + i / kSize);
    data = std::make_shared<block::MemoryDevice>(content);
    if (with_fec) layout.fec = Layout::Fec{.roots = 2};
    auto sizes = *needed_sizes(layout, 0, false);
    hash = std::make_shared<block::MemoryDevice>(Bytes(sizes.hash));
    sizes = *needed_sizes(layout, sizes.hash, false);
    fec = std::make_shared<block::MemoryDevice>(Bytes(sizes.fec));
    root = *format(layout, devices(), Uuid::random());
    good = data->bytes();
  }

  Devices devices() const {
    return {.data = data, .hash = hash, .fec = layout.fec ? fec : nullptr};
  }
  /// With what the superblock says, as the command opens it.
  Result<std::unique_ptr<VerityTarget>> open() const {
    Layout stored = layout;
    stored.params = TRY(read_superblock(*hash, 0)).params;
    return verity::open(stored, devices(), root);
  }
  /// All of it, if all of it can be read.
  Result<Bytes> content() const {
    const auto target = TRY(open());
    Bytes out(target->size());
    TRY(target->read(0, out));
    return out;
  }

  Layout layout;
  std::shared_ptr<block::MemoryDevice> data, hash, fec;
  Bytes root;
  Bytes good;
};

TEST(FlippedByte, OfTheDataIsRefused) {
  const Volume volume(false);
  ASSERT_EQ(*volume.content(), volume.good);
  for (std::uint64_t byte = 0; byte < volume.data->size(); ++byte) {
    TestDevice::flip(*volume.data, byte);
    EXPECT_EQ(volume.content().error().kind(), ErrorKind::tampered) << byte;
    TestDevice::flip(*volume.data, byte);
  }
  EXPECT_EQ(*volume.content(), volume.good);
}

TEST(FlippedByte, OfTheTreeIsRefused) {
  const Volume volume(false);
  for (std::uint64_t byte = kSuperblockSize; byte < volume.hash->size(); ++byte) {
    TestDevice::flip(*volume.hash, byte);
    EXPECT_EQ(volume.content().error().kind(), ErrorKind::tampered) << byte;
    TestDevice::flip(*volume.hash, byte);
  }
  EXPECT_EQ(*volume.content(), volume.good);
}

TEST(FlippedByte, IsCorrected) {
  const Volume volume(true);
  const Bytes hash = volume.hash->bytes();
  const auto repairs = [&](block::MemoryDevice& device, std::uint64_t byte) {
    TestDevice::flip(device, byte);
    EXPECT_EQ(*volume.content(), volume.good) << byte;
    const auto report = repair(volume.layout, volume.devices(), volume.root);
    ASSERT_TRUE(report);
    EXPECT_TRUE(report->lost.empty());
    EXPECT_EQ(report->repaired.size(), 1u);
  };
  // Coprime to the block size: all places in a block.
  for (std::uint64_t byte = 0; byte < volume.data->size(); byte += 37) repairs(*volume.data, byte);
  for (std::uint64_t byte = kSuperblockSize; byte < volume.hash->size(); byte += 37)
    repairs(*volume.hash, byte);
  EXPECT_EQ(volume.data->bytes(), volume.good);
  EXPECT_EQ(volume.hash->bytes(), hash);
  for (std::uint64_t byte = 0; byte < volume.fec->size(); byte += 37) {
    TestDevice::flip(*volume.fec, byte);
    EXPECT_EQ(*volume.content(), volume.good) << byte;
  }
}

/// No hash covers the superblock. What it says must lead to the root hash all the same: a field
/// that goes into it is refused, others have no effect. The number of blocks can be smaller, for
/// the root hash does not tell how long the data is; scan() sees the hashes that are then too many.
TEST(FlippedByte, OfTheSuperblockIsRefusedOrHarmless) {
  const Volume volume(false);
  const auto size_field = [](std::uint64_t byte) { return byte >= 72 && byte < 80; };
  // UUID, what follows the end of the name, reserved bytes, what follows the salt.
  const auto unused = [](std::uint64_t byte) {
    return (byte >= 16 && byte < 32) || (byte >= 32 + 7 && byte < 64) ||
           (byte >= 82 && byte < 88) || byte >= 88 + 11;
  };
  // "Sha256" is the same function.
  const auto letter_case = [](std::uint64_t byte, int bit) {
    return byte >= 32 && byte < 35 && bit == 5;
  };
  unsigned harmless = 0;
  for (std::uint64_t byte = 0; byte < kSuperblockSize; ++byte)
    for (int bit = 0; bit < 8; ++bit) {
      Bytes one(1);
      ASSERT_TRUE(volume.hash->read(byte, one));
      const Bytes changed(1, one[0] ^ static_cast<std::byte>(1 << bit));
      ASSERT_TRUE(volume.hash->write(byte, changed));
      const auto content = volume.content();
      if (size_field(byte)) {
        if (content) {
          ASSERT_LT(content->size(), volume.good.size());
          EXPECT_TRUE(equal(*content, ByteSpan(volume.good).first(content->size())));
          EXPECT_FALSE((*volume.open())->scan()->empty()) << "bit " << bit;
        }
      } else if (unused(byte) || letter_case(byte, bit)) {
        EXPECT_EQ(*content, volume.good) << byte;
        ++harmless;
      } else {
        EXPECT_FALSE(content) << byte;
      }
      ASSERT_TRUE(volume.hash->write(byte, one));
    }
  EXPECT_EQ(harmless, (16 + 25 + 6 + (256 - 11) + 168) * 8u + 3u);
  EXPECT_EQ(*volume.content(), volume.good);
  EXPECT_TRUE((*volume.open())->scan()->empty());
}

}  // namespace
}  // namespace intact::verity
