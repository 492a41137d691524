#include <random>

#include <gtest/gtest.h>

#include <intact/integrity/layout.h>

namespace intact::integrity {
namespace {

RawSuperblock raw_of(std::string_view hex) {
  Bytes bytes = *from_hex(hex);
  bytes.resize(sizeof(RawSuperblock));
  return *load<RawSuperblock>(bytes, 0);
}

// Written by Linux 6.12.
constexpr const char* kJournaled =
    "696e746567727400040f040001000000487e00000000000008000000000f0000";
constexpr const char* kMetaDevice =
    "696e7465677274000200040001000000008000000000000000000000000f0000";
constexpr const char* kInLine =
    "696e746567727400060f040000000000f83f000000000000200000000"
    "30c0000";
constexpr const char* kBitmap = "696e746567727400040f040001000000487e0000000000000c00000000060000";

TEST(Superblock, IsThatOfTheKernel) {
  struct Case {
    const char* hex;
    Params params;
    DeviceSizes sizes;
    std::uint32_t more_flags = 0;
  };
  const Algorithm crc{"crc32c", {}};
  const Case cases[] = {
      {kJournaled, {.fix_padding = true, .internal_hash = crc}, {32768}},
      {kMetaDevice, {.fix_padding = true, .internal_hash = crc}, {32768, 2048}},
      {kInLine,
       {.mode = Mode::in_line, .block_size = 4096, .fix_padding = true, .internal_hash = crc},
       {16384}},
      {kBitmap,
       {.mode = Mode::bitmap, .fix_padding = true, .sectors_per_bit = 64, .internal_hash = crc},
       {32768},
       Superblock::dirty_bitmap},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.hex);
    const RawSuperblock raw = raw_of(c.hex);
    const auto parsed = parse_superblock(raw);
    ASSERT_TRUE(parsed) << parsed.error().message();
    auto planned = plan_format(c.params, c.sizes);
    ASSERT_TRUE(planned) << planned.error().message();
    planned->flags |= c.more_flags;
    EXPECT_EQ(*planned, *parsed);
    EXPECT_EQ(to_hex(bytes_of(encode(*planned, c.params.mode, c.sizes.meta.has_value()))),
              to_hex(bytes_of(raw)));
  }
}

TEST(Superblock, DerivesItsVersion) {
  Superblock superblock;
  EXPECT_EQ(superblock_version(superblock, Mode::journal, false), 1);
  EXPECT_EQ(superblock_version(superblock, Mode::journal, true), 2);
  EXPECT_EQ(superblock_version(superblock, Mode::bitmap, false), 3);
  superblock.set(Superblock::recalculating, true);
  EXPECT_EQ(superblock_version(superblock, Mode::journal, false), 2);
  superblock.set(Superblock::dirty_bitmap, true);
  EXPECT_EQ(superblock_version(superblock, Mode::journal, false), 3);
  superblock.set(Superblock::fixed_padding, true);
  EXPECT_EQ(superblock_version(superblock, Mode::bitmap, false), 4);
  superblock.set(Superblock::fixed_hmac, true);
  EXPECT_EQ(superblock_version(superblock, Mode::bitmap, true), 5);
  superblock.set(Superblock::in_line, true);
  EXPECT_EQ(superblock_version(superblock, Mode::in_line, false), 6);
}

ErrorKind refusal(RawSuperblock raw, std::size_t at, unsigned value, bool has_meta = false) {
  auto bytes = std::bit_cast<std::array<std::byte, sizeof raw>>(raw);
  bytes.at(at) = static_cast<std::byte>(value);
  const auto parsed = parse_superblock(std::bit_cast<RawSuperblock>(bytes), has_meta);
  EXPECT_FALSE(parsed) << "byte " << at << " as " << value;
  return parsed ? ErrorKind::io : parsed.error().kind();
}

TEST(Superblock, RefusesWhatCannotBe) {
  const RawSuperblock raw = raw_of(kJournaled);
  ASSERT_TRUE(parse_superblock(raw, false));
  EXPECT_EQ(refusal(raw, 3, 'X'), ErrorKind::malformed);  // magic
  EXPECT_EQ(refusal(raw, 8, 0), ErrorKind::malformed);    // version
  EXPECT_EQ(refusal(raw, 8, 7), ErrorKind::unsupported);
  EXPECT_EQ(refusal(raw, 9, 2), ErrorKind::malformed);  // interleave
  EXPECT_EQ(refusal(raw, 9, 32), ErrorKind::malformed);
  EXPECT_EQ(refusal(raw, 9, 0), ErrorKind::malformed);
  EXPECT_EQ(refusal(raw, 9, 15, true), ErrorKind::malformed);
  EXPECT_EQ(refusal(raw, 10, 0), ErrorKind::malformed);  // tag size
  EXPECT_EQ(refusal(raw, 11, 1), ErrorKind::malformed);
  EXPECT_EQ(refusal(raw, 12, 0), ErrorKind::malformed);     // journal sections
  EXPECT_EQ(refusal(raw, 24, 0x28), ErrorKind::malformed);  // in-line, with a journal
  EXPECT_EQ(refusal(raw, 28, 4), ErrorKind::malformed);     // block size
}

TEST(Superblock, SurvivesBeingWrittenAgain) {
  std::mt19937 random(7);
  for (int i = 0; i < 20000; ++i) {
    auto bytes = std::bit_cast<std::array<std::byte, sizeof(RawSuperblock)>>(raw_of(kJournaled));
    for (int n = 0; n < 3; ++n) bytes.at(8 + random() % 56) = static_cast<std::byte>(random());
    const auto raw = std::bit_cast<RawSuperblock>(bytes);
    const auto parsed = parse_superblock(raw);
    if (!parsed) continue;
    auto again = parse_superblock(encode(*parsed, Mode::journal, false));
    ASSERT_TRUE(again);
    again->version = parsed->version;
    ASSERT_EQ(*again, *parsed);
  }
}

}  // namespace
}  // namespace intact::integrity
