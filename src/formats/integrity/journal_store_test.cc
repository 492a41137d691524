#include <algorithm>

#include <gtest/gtest.h>

#include <intact/crypto/hash.h>
#include <intact/integrity/dm_target.h>

#include "test_device.h"

namespace intact::integrity {
namespace {

// The first 256 KiB of devices of 8 MiB that Linux 6.12 formatted: superblock, journal, no tags
// yet.
TEST(JournalStore, FormatsAsTheKernelDoes) {
  const std::string key = "000102030405060708090a0b0c0d0e0f";
  const std::string long_key = key + "101112131415161718191a1b1c1d1e1f";
  const std::pair<std::string, const char*> golden[] = {
      {"", "e6c072c317127c1acda88aab53a710fed82d55b6cf5c222987e2e36c4044c215"},
      {" journal_mac:hmac(sha256):" + key,
       "4bef2862ef8f70dd828b05110f85c487ede76e2c465e392695a48b1f01454b7a"},
      {" journal_mac:sha512 journal_crypt:cbc(aes):" + key,
       "9a4667e6cee8900738be78a0f0654604cbbd6a0fc1c95c4de59bb11881e30cad"},
      {" journal_mac:sha512 journal_crypt:xts(aes):" + long_key,
       "161f62160360c881b5a6d648221751673d104f5d9edc54832b5ed2f0ed74aae0"},
      {" journal_crypt:ecb(aes):" + key,
       "58ead693f364cbcf95a06cba20d3dda8684bef2f0cff80170af13d04115dd966"},
      {" journal_crypt:ctr(aes):" + key,
       "ab1fc96a29409f3f1ca0c6d05f77adbe9f987c1224a27a8d770e115fc8483ad8"},
      {" journal_crypt:chacha20:" + long_key,
       "44a74b369826364f469914f79db1f45ea79ae67756375477842ad5ecffc79c46"},
  };
  for (const auto& [options, sha256] : golden) {
    const auto count = 3 + std::ranges::count(options, ' ');
    const auto line =
        parse_table("- 0 4 J " + std::to_string(count) +
                    " journal_sectors:400 fix_padding internal_hash:crc32c" + options);
    ASSERT_TRUE(line) << line.error().message();
    const TestDevice device(line->params, 8 << 20);
    EXPECT_EQ(to_hex(crypto::sha256(ByteSpan(device.data->bytes()).first(256 << 10)).bytes()),
              sha256)
        << options;
  }
}

TEST(JournalStore, GivesEachSectorOfAFreshJournalItsCommitId) {
  const TestDevice device({.fix_padding = true, .internal_hash = named("crc32c")}, 8 << 20);
  const auto tail = [&](std::uint64_t sector) {
    return to_hex(ByteSpan(device.data->bytes()).subspan(sector * 512 + 504, 8));
  };
  EXPECT_EQ(tail(8), "1111111111111111");
  EXPECT_EQ(tail(9), "1011111111111111");
}

}  // namespace
}  // namespace intact::integrity
