#include <gmock/gmock.h>

#include <intact/integrity/detect.h>
#include <intact/integrity/inspect.h>

#include "test_device.h"

namespace intact::integrity {
namespace {

using Why = ScanReport::Why;

TEST(Scan, ListsEachBadRangeAndNothingElse) {
  const TestDevice device({.internal_hash = named("crc32c")});
  device.fill();
  const auto whole = scan(device.params, device.devices());
  ASSERT_TRUE(whole);
  EXPECT_TRUE(whole->damaged.empty());
  EXPECT_EQ(whole->checked, whole->sectors);

  const auto target = device.must_open();
  const Layout& layout = target->layout();
  for (const std::uint64_t sector : {5, 6, 100})
    device.data->write(layout.data_sector(sector) * kSectorSize, Bytes(kSectorSize, std::byte{1}))
        .value();
  const auto report = scan(device.params, device.devices());
  ASSERT_TRUE(report);
  EXPECT_EQ(report->damaged, (std::vector{damaged_sectors(5, 2, "fails its tag"),
                                          damaged_sectors(100, 1, "fails its tag")}));
  EXPECT_EQ(report->damaged_sectors(), 3u);
  EXPECT_FALSE(report->all_damaged());
  EXPECT_TRUE(report->unprotected.empty());
}

TEST(Scan, AnotherHashMakesAllOfItDamaged) {
  const TestDevice device({.internal_hash = named("crc32c")});
  device.fill();
  Params other = device.params;
  other.internal_hash = named("crc32");
  const auto report = scan(other, device.devices());
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->all_damaged());
}

TEST(Scan, SaysWhatNobodyHasChecked) {
  const TestDevice device({.internal_hash = named("crc32c")});
  device.fill();
  Params recovery = device.params;
  recovery.mode = Mode::recovery;
  const auto unchecked = scan(recovery, device.devices());
  ASSERT_TRUE(unchecked);
  EXPECT_EQ(unchecked->checked, 0u);
  EXPECT_EQ(unchecked->why_unprotected, Why::recovery);
  EXPECT_EQ(unchecked->unprotected, (std::vector<Unprotected>{{0, unchecked->sectors}}));
  EXPECT_FALSE(unchecked->all_damaged());
}

TEST(Scan, DoesNotCallDiscardedBlocksChecked) {
  TestDevice device(
      {.interleave_sectors = 256, .fix_padding = true, .internal_hash = named("hmac(sha256)", 32)});
  device.params.allow_discards = true;
  device.fill();
  {
    const auto target = device.must_open();
    ASSERT_TRUE(target->discard(10 * kSectorSize, 6 * kSectorSize));
    ASSERT_TRUE(target->discard(100 * kSectorSize, kSectorSize));
    ASSERT_TRUE(target->close());
  }
  const auto report = scan(device.params, device.devices()).value();
  EXPECT_TRUE(report.damaged.empty());
  EXPECT_EQ(report.checked, report.sectors - 7);
  EXPECT_EQ(report.unprotected, (std::vector<Unprotected>{{10, 6, true}, {100, 1, true}}));
  EXPECT_EQ(report.why(report.unprotected[0]), Why::discarded);
  // All of it, as anyone can write it.
  const auto layout = device.must_open()->layout();
  const std::uint64_t sectors = layout.provided_data_sectors();
  {
    const auto target = device.must_open();
    ASSERT_TRUE(target->discard(0, sectors * kSectorSize));
    ASSERT_TRUE(target->close());
  }
  const auto nothing = scan(device.params, device.devices()).value();
  EXPECT_EQ(nothing.checked, 0u);
  EXPECT_EQ(nothing.unprotected, (std::vector<Unprotected>{{0, sectors, true}}));
  EXPECT_EQ(nothing.why_unprotected, Why::discarded);
}

/// The key of named().
std::shared_ptr<const crypto::Secret> key_of(std::size_t size) {
  return named("", size).key;
}

TEST(Detect, FindsEachHash) {
  for (const char* const name : {"crc32c", "crc32", "xxhash64", "sha1", "sha256", "sha512"}) {
    for (const bool salted : {false, true}) {
      const TestDevice device({.interleave_sectors = 256,
                               .fix_padding = true,
                               .fix_hmac = salted,
                               .internal_hash = named(name)});
      device.fill();
      const auto found = detect(device.params, device.devices(), nullptr);
      ASSERT_TRUE(found);
      EXPECT_EQ(found->hash, name);
      EXPECT_EQ(found->matching, found->tagged());
      EXPECT_EQ(found->tag_use, Detection::TagUse::whole);
      EXPECT_EQ(found->salted, salted);
      EXPECT_FALSE(found->keyed);
    }
  }
}

TEST(Detect, FindsKeysAndCutDigests) {
  const TestDevice device({.tag_size = 20,
                           .interleave_sectors = 256,
                           .fix_padding = true,
                           .internal_hash = named("hmac(sha256)", 32)});
  device.fill();
  const auto without = detect(device.params, device.devices(), nullptr);
  ASSERT_TRUE(without);
  EXPECT_FALSE(without->hash);
  EXPECT_NE(without->tagged(), 0u);
  EXPECT_FALSE(detect(device.params, device.devices(), key_of(31))->hash);
  const auto found = detect(device.params, device.devices(), key_of(32));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->hash, "hmac(sha256)");
  EXPECT_TRUE(found->keyed);
  EXPECT_EQ(found->tag_use, Detection::TagUse::cut);
}

TEST(Detect, HasNothingToGoByWhereNothingWasWritten) {
  const TestDevice device({.internal_hash = named("sha256")}, 4 << 20);
  const auto found = detect(device.params, device.devices(), nullptr);
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->hash);
  EXPECT_EQ(found->blank, found->sampled);
}

TEST(Detect, SaysWhyNoHashWasFound) {
  using testing::HasSubstr;
  const Detection blank{.sampled = 4, .blank = 4};
  EXPECT_THAT(why_no_hash(blank, true), HasSubstr("tags are blank"));
  const Detection tagged{.sampled = 4, .blank = 3};
  EXPECT_THAT(why_no_hash(tagged, true), HasSubstr("they have another key"));
  EXPECT_THAT(why_no_hash(tagged, false), HasSubstr("--integrity-key-file"));
  EXPECT_EQ(name_of(Detection::TagUse::cut), "cut");
  EXPECT_EQ(name_of(Detection::Journal::unknown), "unknown");
  EXPECT_EQ(name_of(Why::dirty_bitmap), "dirty-bitmap");
  EXPECT_EQ(name_of(Why::nothing), "");
}

TEST(Detect, SeesWhatTheJournalIsUnder) {
  const auto journal_of = [](std::optional<Algorithm> mac, std::optional<Algorithm> crypt) {
    const TestDevice device({.internal_hash = named("crc32c"),
                             .journal_crypt = std::move(crypt),
                             .journal_mac = std::move(mac)},
                            4 << 20);
    const Detection found = detect({}, device.devices(), nullptr).value();
    return std::pair(found.journal, found.journal_mac);
  };
  using Journal = Detection::Journal;
  const Algorithm mac = named("hmac(sha256)", 32);
  EXPECT_EQ(journal_of({}, {}), std::pair(Journal::plain, false));
  EXPECT_EQ(journal_of(mac, {}), std::pair(Journal::plain, true));
  EXPECT_EQ(journal_of(mac, named("cbc(aes)", 16)), std::pair(Journal::encrypted, true));
  EXPECT_EQ(journal_of({}, named("ctr(aes)", 16)), std::pair(Journal::encrypted, false));
}

TEST(Detect, KnowsThatABitmapLiesInPlaceOfTheJournal) {
  Params params{.mode = Mode::bitmap, .internal_hash = named("crc32c")};
  const TestDevice device(params, 4 << 20);
  const auto target = device.must_open();
  EXPECT_EQ(detect({}, device.copy().devices(), nullptr)->journal, Detection::Journal::unknown);
  ASSERT_TRUE(target->close());
  EXPECT_EQ(detect({}, device.copy().devices(), nullptr)->journal, Detection::Journal::plain);
}

}  // namespace
}  // namespace intact::integrity
