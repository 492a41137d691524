// What anyone who can write to a device with a keyed hash gains by changing it: nothing but errors.
// Each attack has a twin in which nothing was attacked and all is well.
#include <algorithm>

#include <intact/integrity/inspect.h>

#include "test_device.h"

namespace intact::integrity {
namespace {

constexpr std::uint64_t kTarget = 5;  // the block that the attacker changes

constexpr Mode kModes[] = {Mode::journal, Mode::bitmap, Mode::direct};

Params keyed(Mode mode = Mode::journal) {
  return {.mode = mode,
          .block_size = 512,
          .journal_sectors = 200,
          .interleave_sectors = 64,
          .fix_padding = true,
          .fix_hmac = true,
          .sectors_per_bit = 16,
          .internal_hash = named("hmac(sha256)", 32)};
}

Params covered(Mode mode = Mode::journal) {
  Params params = keyed(mode);
  params.journal_mac = named("hmac(sha256)", 24);
  return params;
}

IntegrityTarget::Options reading() {
  auto options = TestDevice::quiet();
  options.read_only = true;
  return options;
}

/// A filled device and what can be done to its bytes.
class Victim {
 public:
  explicit Victim(const Params& params, std::size_t size = 256 << 10) : device_(params, size) {
    content_ = device_.fill();
    const auto target = device_.must_open(reading());
    data_at_ = target->layout().data_sector(kTarget) * kSectorSize;
    tag_at_ = target->layout().tag_byte(kTarget);
    journal_at_ = target->layout().journal_start() * kSectorSize;
    journal_size_ = (target->layout().initial_sectors() - kSuperblockSectors) * kSectorSize;
  }

  void put(std::uint64_t at, const Bytes& bytes) { ASSERT_TRUE(device_.data->write(at, bytes)); }
  std::byte byte(std::uint64_t at) const { return device_.data->bytes()[at]; }
  void flag(Superblock::Flag flag, bool on) {
    const std::byte bit{static_cast<unsigned char>(flag)};
    put(24, {on ? byte(24) | bit : byte(24) & ~bit});
  }
  void change_data() { put(data_at_, Bytes(kSectorSize, std::byte{0x66})); }
  /// Says that all of the device was being written when it was cut off.
  void mark_everything() {
    flag(Superblock::dirty_bitmap, true);
    put(journal_at_, Bytes(journal_size_, std::byte{0xff}));
  }
  std::uint64_t tag_at() const { return tag_at_; }

  /// That reads return what was written or an error, and `target` an error.
  void expect_no_wrong_bytes(const IntegrityTarget& target) const {
    Bytes block(kSectorSize);
    for (std::uint64_t at = 0; at + block.size() <= target.size(); at += block.size()) {
      if (!target.read(at, block)) continue;
      ASSERT_LE(at + block.size(), content_.size());
      ASSERT_TRUE(equal(block, ByteSpan(content_).subspan(at, block.size()))) << "byte " << at;
      ASSERT_NE(at, kTarget * kSectorSize);
    }
  }
  void expect_only_target_fails(const IntegrityTarget& target) const {
    Bytes block(kSectorSize);
    for (std::uint64_t at = 0; at < target.size(); at += block.size())
      ASSERT_EQ(bool(target.read(at, block)), at != kTarget * kSectorSize) << "byte " << at;
    expect_no_wrong_bytes(target);
  }

  TestDevice& device() { return device_; }
  const TestDevice& device() const { return device_; }
  const Bytes& content() const { return content_; }
  std::string refusal(const IntegrityTarget::Options& options, ErrorKind kind) const {
    const Bytes before = device_.data->bytes();
    const auto target = device_.open(options);
    EXPECT_EQ(device_.data->bytes(), before) << "it was written to";
    if (target) return "opened";
    EXPECT_EQ(target.error().kind(), kind) << target.error().message();
    return target.error().message();
  }

 private:
  TestDevice device_;
  Bytes content_;
  std::uint64_t data_at_ = 0, tag_at_ = 0, journal_at_ = 0, journal_size_ = 0;
};

bool holds(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(HostileDevice, MarksInTheBitmapSwitchNothingOff) {
  for (const Mode mode : kModes) {
    for (const bool salted : {true, false}) {
      SCOPED_TRACE(std::string(1, static_cast<char>(mode)) + (salted ? " salted" : ""));
      Params params = keyed(mode);
      params.fix_hmac = salted;
      Victim victim(params);
      victim.mark_everything();
      const TestDevice twin = victim.device().copy();
      victim.change_data();
      victim.expect_only_target_fails(*victim.device().must_open(reading()));
      const std::string why = victim.refusal(TestDevice::quiet(), ErrorKind::tampered);
      EXPECT_TRUE(holds(why,
                        "1 sectors (the first is 5) fail their tags in regions that the bitmap "
                        "marks"))
          << why;
      EXPECT_TRUE(holds(why, "--integrity-legacy-recalculate to trust the data")) << why;
      const auto report = scan(victim.device().params, victim.device().devices());
      ASSERT_TRUE(report);
      EXPECT_EQ(report->damaged, (std::vector{damaged_sectors(kTarget, 1, "fails its tag")}));
      EXPECT_EQ(report->checked, report->sectors);
      EXPECT_TRUE(report->unprotected.empty());
      EXPECT_NE(report->marked_regions, 0u);

      // Nothing was changed: the marks are checked and then dropped.
      EXPECT_EQ(read_all(*twin.must_open(reading())), victim.content());
      {
        const auto target = twin.must_open();
        EXPECT_EQ(read_all(*target), victim.content());
        EXPECT_EQ(target->status().retagged_sectors, 0u);
        ASSERT_TRUE(target->write(0, Bytes(512, std::byte{1})));
        ASSERT_TRUE(target->close());
      }
      EXPECT_FALSE(twin.must_open(reading())->superblock().has(Superblock::dirty_bitmap));
      const auto whole = scan(twin.params, twin.devices());
      ASSERT_TRUE(whole);
      EXPECT_TRUE(whole->damaged.empty());
      EXPECT_EQ(whole->checked, whole->sectors);
    }
  }
}

TEST(HostileDevice, AMacOfTheSuperblockDoesNotCoverTheBitmap) {
  Victim victim(covered(Mode::bitmap));
  const auto cut_off = victim.device().must_open();
  ASSERT_TRUE(cut_off->write(0, ByteSpan(victim.content()).first(512)));
  ASSERT_TRUE(cut_off->flush());
  Victim stolen = victim;  // both now share one memory: make it another
  stolen.device() = victim.device().copy();
  const TestDevice twin = stolen.device().copy();
  const auto layout = cut_off->layout();
  stolen.put(layout.journal_start() * kSectorSize, Bytes(4096, std::byte{0xff}));
  stolen.change_data();
  stolen.expect_only_target_fails(*stolen.device().must_open(reading()));
  EXPECT_TRUE(holds(stolen.refusal(TestDevice::quiet(), ErrorKind::tampered), "bitmap marks"));
  EXPECT_EQ(read_all(*twin.must_open()), victim.content());
}

TEST(HostileDevice, AfterACrashOneOptionRetagsTheMarkedRegionsOnly) {
  for (const Mode mode : kModes) {
    SCOPED_TRACE(static_cast<char>(mode));
    Victim victim(keyed(Mode::bitmap));
    {
      const auto cut_off = victim.device().must_open();
      ASSERT_TRUE(cut_off->write(0, ByteSpan(victim.content()).first(512)));
      ASSERT_TRUE(cut_off->flush());
      victim.device() = victim.device().copy();
    }
    victim.change_data();  // half written, in the first region
    const std::uint64_t outside = 100;
    victim.put(victim.device().must_open(reading())->layout().data_sector(outside) * kSectorSize,
               Bytes(512, std::byte{0x77}));
    victim.device().params.mode = mode;
    EXPECT_TRUE(holds(victim.refusal(TestDevice::quiet(), ErrorKind::tampered), "1 sectors"));
    victim.device().params.legacy_recalculate = true;
    {
      const auto target = victim.device().must_open();
      EXPECT_EQ(target->status().retagged_sectors, 16u);
      Bytes block(512);
      ASSERT_TRUE(target->read(kTarget * 512, block));
      EXPECT_EQ(block, Bytes(512, std::byte{0x66}));
      EXPECT_FALSE(target->read(outside * 512, block));
      ASSERT_TRUE(target->close());
    }
    victim.device().params.legacy_recalculate = false;
    const auto target = victim.device().must_open();
    Bytes block(512);
    EXPECT_TRUE(target->read(kTarget * 512, block));
    EXPECT_FALSE(target->read(outside * 512, block));
  }
}

TEST(HostileDevice, ALoweredSizeMakesNothingNew) {
  Victim victim(keyed());
  victim.mark_everything();
  victim.put(16, {std::byte{8}, std::byte{}, std::byte{}});
  const TestDevice twin = victim.device().copy();
  victim.change_data();
  victim.expect_only_target_fails(*victim.device().must_open(reading()));
  EXPECT_TRUE(holds(victim.refusal(TestDevice::quiet(), ErrorKind::tampered), "bitmap marks"));
  EXPECT_EQ(read_all(*twin.must_open()), victim.content());
}

TEST(HostileDevice, WithoutItsSaltNoTagMatches) {
  Victim victim(keyed());
  victim.mark_everything();
  victim.flag(Superblock::fixed_hmac, false);
  victim.expect_no_wrong_bytes(
      *IntegrityTarget::open(victim.device().params, victim.device().devices(),
                             {.read_only = true, .check_key = false, .background = false})
           .value());
  EXPECT_TRUE(holds(victim.refusal(reading(), ErrorKind::bad_secret), "no block matches its tag"));
  EXPECT_TRUE(holds(victim.refusal(TestDevice::quiet(), ErrorKind::bad_secret),
                    "no block matches its tag"));
}

TEST(HostileDevice, AJournalMacDemandsASuperblockUnderIt) {
  Victim victim(covered());
  EXPECT_EQ(read_all(*victim.device().must_open()), victim.content());
  victim.flag(Superblock::fixed_hmac, false);
  for (const auto& options : {reading(), TestDevice::quiet()}) {
    const std::string why = victim.refusal(options, ErrorKind::unsupported);
    EXPECT_TRUE(holds(why, "the journal MAC does not cover the superblock")) << why;
    EXPECT_TRUE(holds(why, "--integrity-legacy-hmac")) << why;
  }
  Params legacy = covered();
  legacy.fix_hmac = false;
  legacy.legacy_hmac = true;
  Victim twin(legacy);
  EXPECT_EQ(read_all(*twin.device().must_open()), twin.content());
}

TEST(HostileDevice, RecalculatingNeedsTheUsersWord) {
  Victim plain(keyed());
  plain.flag(Superblock::recalculating, true);
  plain.change_data();
  EXPECT_TRUE(holds(plain.refusal(reading(), ErrorKind::unsupported), "for security reasons"));
  EXPECT_TRUE(
      holds(plain.refusal(TestDevice::quiet(), ErrorKind::unsupported), "for security reasons"));

  // An old superblock, with the MAC that it had: it cannot be told from the present one.
  Params params = covered();
  params.recalculate = true;
  const TestDevice fresh(params, 256 << 10);
  const Bytes old(fresh.data->bytes().begin(), fresh.data->bytes().begin() + 4096);
  fresh.fill();
  {
    const auto target = fresh.must_open();
    ASSERT_TRUE(target->recalculate());
    ASSERT_TRUE(target->close());
  }
  TestDevice rolled_back = fresh;
  rolled_back.params.recalculate = false;
  EXPECT_TRUE(rolled_back.open());  // the twin: finished
  ASSERT_TRUE(rolled_back.data->write(0, old));
  for (const auto& options : {reading(), TestDevice::quiet()}) {
    const auto refused = rolled_back.open(options);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind(), ErrorKind::unsupported);
    EXPECT_TRUE(holds(refused.error().message(), "--integrity-recalculate"))
        << refused.error().message();
  }
  rolled_back.params.recalculate = true;
  EXPECT_TRUE(rolled_back.open());
}

TEST(HostileDevice, TagsAreOfFullSizeUnlessTheUserSaysOtherwise) {
  Victim victim(keyed());
  victim.put(10, {std::byte{1}, std::byte{0}});
  for (const auto& options : {reading(), TestDevice::quiet()}) {
    const std::string why = victim.refusal(options, ErrorKind::invalid_argument);
    EXPECT_TRUE(holds(why, "Tag size doesn't match the information in superblock: 1, not 32; "))
        << why;
    EXPECT_TRUE(holds(why, "pass --tag-size 1 only if")) << why;
  }
  Params small = keyed();
  small.tag_size = 16;
  Victim twin(small);
  EXPECT_EQ(read_all(*twin.device().must_open()), twin.content());
  twin.device().params.tag_size.reset();
  EXPECT_TRUE(holds(twin.refusal(reading(), ErrorKind::invalid_argument), "16, not 32"));
}

TEST(HostileDevice, TagsOfDiscardedBlocksBringNoData) {
  Victim victim(keyed());
  victim.put(victim.tag_at(), Bytes(32, std::byte{0xf6}));
  const TestDevice twin = victim.device().copy();
  victim.change_data();
  victim.expect_only_target_fails(*victim.device().must_open(reading()));
  victim.device().params.allow_discards = true;
  Bytes block(512, std::byte{1});
  ASSERT_TRUE(victim.device().must_open(reading())->read(kTarget * 512, block));
  EXPECT_EQ(block, Bytes(512));
  Bytes around(3 * 512);
  ASSERT_TRUE(victim.device().must_open(reading())->read((kTarget - 1) * 512, around));
  Bytes expected(victim.content().begin() + (kTarget - 1) * 512,
                 victim.content().begin() + (kTarget + 2) * 512);
  std::fill_n(expected.begin() + 512, 512, std::byte{});
  EXPECT_EQ(around, expected);
}

/// Whatever a bit of the superblock does, alone or with all regions marked.
TEST(HostileDevice, NoBitOfTheSuperblockMakesForgedDataReadable) {
  for (const bool marked : {false, true}) {
    Victim original(keyed(), 128 << 10);
    if (marked) original.mark_everything();
    original.change_data();
    unsigned opened = 0;
    for (std::uint64_t at = 0; at < 64; ++at) {
      for (unsigned bit = 0; bit < 8; ++bit) {
        SCOPED_TRACE("byte " + std::to_string(at) + " bit " + std::to_string(bit));
        Victim victim = original;
        victim.device() = original.device().copy();
        victim.put(at, {victim.byte(at) ^ std::byte{static_cast<unsigned char>(1u << bit)}});
        if (const auto target = victim.device().open(reading())) {
          ++opened;
          victim.expect_no_wrong_bytes(**target);
        }
        // A writable open must not make tags for it either.
        auto options = TestDevice::quiet();
        options.may_shrink = true;
        if (const auto target = victim.device().open(options)) {
          victim.expect_no_wrong_bytes(**target);
          ASSERT_TRUE((*target)->close());
        }
        if (const auto target = victim.device().open(reading()))
          victim.expect_no_wrong_bytes(**target);
        if (::testing::Test::HasFailure()) return;
      }
    }
    EXPECT_GT(opened, 100u);
  }
}

}  // namespace
}  // namespace intact::integrity
