#include <gtest/gtest.h>

#include <intact/block/memory_device.h>
#include <intact/integrity/dm_target.h>
#include <intact/integrity/integrity_target.h>

namespace intact::integrity {
namespace {

std::string refusal(std::string_view line) {
  const auto parsed = parse_table(line);
  return parsed ? "" : parsed.error().message();
}

TEST(Table, TakesEveryOption) {
  const auto line = parse_table(
      "7:0 2048 - B 18 meta_device:7:1 block_size:4096 recalculate reset_recalculate "
      "allow_discards journal_sectors:176 interleave_sectors:64 buffer_sectors:8 "
      "journal_watermark:70 commit_time:5 sectors_per_bit:128 bitmap_flush_interval:7 fix_padding "
      "fix_hmac legacy_recalculate internal_hash:hmac(sha256):0011 journal_crypt:ctr(aes):aabb "
      "journal_mac:crc32c and more");
  ASSERT_TRUE(line) << line.error().message();
  const Params& params = line->params;
  EXPECT_EQ(line->device, "7:0");
  EXPECT_EQ(line->meta_device, "7:1");
  EXPECT_EQ(params.start, 2048u);
  EXPECT_FALSE(params.tag_size);
  EXPECT_EQ(params.mode, Mode::bitmap);
  EXPECT_EQ(params.block_size, 4096u);
  EXPECT_EQ(params.journal_sectors, 176u);
  EXPECT_EQ(params.interleave_sectors, 64u);
  EXPECT_EQ(params.buffer_sectors, 8u);
  EXPECT_EQ(params.journal_watermark, 70u);
  EXPECT_EQ(params.commit_time, 5u);
  EXPECT_EQ(params.sectors_per_bit, 128u);
  EXPECT_EQ(params.bitmap_flush_interval, 7u);
  EXPECT_TRUE(params.recalculate && params.reset_recalculate && params.legacy_recalculate);
  EXPECT_TRUE(params.allow_discards && params.fix_padding && params.fix_hmac);
  EXPECT_EQ(params.internal_hash->name, "hmac(sha256)");
  EXPECT_EQ(to_hex(params.internal_hash->key_bytes()), "0011");
  EXPECT_EQ(to_hex(params.journal_crypt->key_bytes()), "aabb");
  EXPECT_EQ(params.journal_mac->name, "crc32c");
  EXPECT_TRUE(params.journal_mac->key_bytes().empty());
}

TEST(Table, RefusesWithTheKernelsWords) {
  EXPECT_EQ(refusal("7:0 0 4 J 0"), "");
  EXPECT_EQ(refusal("7:0 0 4 J"), "Invalid argument count");
  EXPECT_EQ(refusal("7:0 x 4 J 0"), "Invalid starting offset");
  EXPECT_EQ(refusal("7:0 0 0 J 0"), "Invalid tag size");
  EXPECT_EQ(refusal("7:0 0 x J 0"), "Invalid tag size");
  EXPECT_EQ(refusal("7:0 0 4 X 0"), "Invalid mode (expecting J, B, D, R, I)");
  EXPECT_EQ(refusal("7:0 0 4 J 19"), "Invalid number of feature args");
  EXPECT_EQ(refusal("7:0 0 4 J 2 recalculate"), "Not enough feature arguments");
  EXPECT_EQ(refusal("7:0 0 4 J 1 block_size:513"), "Invalid block_size argument");
  EXPECT_EQ(refusal("7:0 0 4 J 1 bitmap_flush_interval:4294967295"),
            "Invalid bitmap_flush_interval argument");
  EXPECT_EQ(refusal("7:0 0 4 J 1 journal_watermark:101"), "Invalid argument: journal_watermark");
  EXPECT_EQ(refusal("7:0 0 4 J 1 something"), "Invalid argument: something");
  EXPECT_EQ(refusal("7:0 0 4 J 1 internal_hash:sha256:012"), "Invalid internal_hash argument");
  EXPECT_EQ(refusal("7:0 0 4 J 1 internal_hash:sha256:0x"), "Invalid internal_hash argument");
}

TEST(Table, IsShownAsTheKernelDoes) {
  const auto line = parse_table("7:0 0 - J 2 fix_padding internal_hash:crc32c");
  const Devices devices{std::make_shared<block::MemoryDevice>(Bytes(16 << 20))};
  const auto target = IntegrityTarget::open(line->params, devices, {.format_zeroed = true});
  ASSERT_TRUE(target) << target.error().message();
  EXPECT_EQ((*target)->table(""),
            "0 4 J 7 journal_sectors:176 interleave_sectors:32768 buffer_sectors:128 "
            "journal_watermark:50 commit_time:10000 fix_padding internal_hash:crc32c");
}

TEST(Table, HidesKeys) {
  const auto line = parse_table("7:0 0 - B 1 internal_hash:hmac(sha256):0011ff");
  const Devices devices{std::make_shared<block::MemoryDevice>(Bytes(4 << 20))};
  const auto target = IntegrityTarget::open(line->params, devices, {.format_zeroed = true});
  ASSERT_TRUE(target) << target.error().message();
  EXPECT_TRUE((*target)->table("").ends_with("internal_hash:hmac(sha256):000000"));
  const crypto::Secret whole = (*target)->table_with_keys("");
  EXPECT_TRUE(whole.expose_text().ends_with("internal_hash:hmac(sha256):0011ff"));
}

TEST(Table, PutsEachKeyInItsPlace) {
  const auto line = parse_table(
      "7:0 0 - J 4 fix_hmac internal_hash:hmac(sha256):0011ff "
      "journal_crypt:ctr(aes):000102030405060708090a0b0c0d0e0f journal_mac:hmac(sha256):fedcba98");
  ASSERT_TRUE(line) << line.error().message();
  const Devices devices{std::make_shared<block::MemoryDevice>(Bytes(4 << 20))};
  const auto target = IntegrityTarget::open(line->params, devices, {.format_zeroed = true});
  ASSERT_TRUE(target) << target.error().message();
  const std::string shown = (*target)->table("7:1");
  const crypto::Secret whole = (*target)->table_with_keys("7:1");
  EXPECT_TRUE(shown.ends_with(
      " internal_hash:hmac(sha256):000000 journal_crypt:ctr(aes):00000000000000000000000000000000 "
      "journal_mac:hmac(sha256):00000000"))
      << shown;
  EXPECT_TRUE(whole.expose_text().ends_with(
      " internal_hash:hmac(sha256):0011ff journal_crypt:ctr(aes):000102030405060708090a0b0c0d0e0f "
      "journal_mac:hmac(sha256):fedcba98"));
  EXPECT_EQ(whole.expose_text().substr(0, shown.find(" internal_hash")),
            shown.substr(0, shown.find(" internal_hash")));
  // It is a line that parses back to the same number of words.
  EXPECT_TRUE(parse_table("7:0 " + shown)) << shown;
}

TEST(Table, RefusalsQuoteNoKey) {
  for (const char* option :
       {"internal_hash:hmac(sha256):c0ffee0", "journal_crypt:ctr(aes):c0ffeeg",
        "journal_mac::c0ffee", "internal_hosh:hmac(sha256):c0ffee", "journal_sectors:c0ffee"})
    EXPECT_EQ(refusal(std::string("7:0 0 4 J 1 ") + option).find("c0ffee"), std::string::npos)
        << option;
}

}  // namespace
}  // namespace intact::integrity
