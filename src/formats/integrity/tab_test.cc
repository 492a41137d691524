#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/integrity/manage.h>

namespace intact::integrity {
namespace {

constexpr std::string_view kTab =
    "# a comment\n"
    "\n"
    "home PARTUUID=4973d0b8 - journal-commit-time=10,allow-discards,journal-watermark=55%\n"
    "plain\t/dev/sdx\n"
    "keyed /img /key\n"
    "apart /tags - data-device=UUID=1234,integrity-algorithm=sha256,nofail,mode=bitmap\n"
    "zeros /img - journal-commit-time=0,journal-watermark=0%\n"
    "other /img - frobnicate\n"
    "short\n"
    "number /img - journal-commit-time=ten\n"
    "none /img none none\n"
    "spans /img none journal-commit-time=10s,mode=direct\n"
    "mixed /img none journal-commit-time=1min1.5s\n"
    "fine /img - journal-commit-time=250ms\n"
    "large /img - journal-commit-time=9999h\n"
    "unit /img - journal-commit-time=10parsec\n"
    "bare /img - journal-commit-time=1s5\n"
    "named /img /key integrity-algorithm=hmac-sha512\n"
    "twice /first\n"
    "twice /second\n"
    "mode /img - mode=fast\n"
    "long /img - - -\n";

TabEntry line(std::string_view name) {
  auto entry = parse_tab(kTab, name);
  EXPECT_TRUE(entry) << entry.error().message();
  return std::move(entry).value_or(TabEntry{});
}

TEST(IntegrityTab, SaysDeviceAndOptions) {
  EXPECT_EQ(line("home"), (TabEntry{.device = "/dev/disk/by-partuuid/4973d0b8",
                                    .journal_watermark = 55,
                                    .commit_time = 10,
                                    .allow_discards = true}));
  EXPECT_EQ(line("plain"), TabEntry{.device = "/dev/sdx"});
  EXPECT_EQ(line("apart"), (TabEntry{.device = "/tags",
                                     .data_device = "/dev/disk/by-uuid/1234",
                                     .algorithm = "sha256",
                                     .mode = Mode::bitmap}));
}

TEST(IntegrityTab, AKeyFileMeansHmacSha256) {
  EXPECT_EQ(line("keyed"),
            (TabEntry{.device = "/img", .key_file = "/key", .algorithm = "hmac-sha256"}));
  EXPECT_EQ(line("named").algorithm, "hmac-sha512");
}

TEST(IntegrityTab, ZerosStandForTheDefaults) {
  EXPECT_EQ(line("zeros"), TabEntry{.device = "/img"});
}

TEST(IntegrityTab, NoneMeansNoKeyAndNoOptions) {
  EXPECT_EQ(line("none"), TabEntry{.device = "/img"});
}

TEST(IntegrityTab, TheFirstLineOfANameCounts) {
  EXPECT_EQ(line("twice").device, "/first");
}

TEST(IntegrityTab, ReadsTimeSpansAsSystemdDoes) {
  EXPECT_EQ(line("spans").commit_time, 10000u);
  EXPECT_EQ(line("spans").mode, Mode::direct);
  EXPECT_EQ(line("mixed").commit_time, 61500u);
  EXPECT_EQ(line("fine").commit_time, 250u);
}

TEST(IntegrityTab, RefusesWhatItDoesNotUnderstand) {
  using testing::HasSubstr;
  const auto expect = [](std::string_view name, ErrorKind kind, const char* said) {
    const auto entry = parse_tab(kTab, name);
    ASSERT_FALSE(entry) << name;
    EXPECT_EQ(entry.error().kind(), kind) << name;
    EXPECT_THAT(entry.error().message(), HasSubstr(said)) << name;
  };
  expect("large", ErrorKind::malformed, "invalid value '9999h' for journal-commit-time");
  expect("unit", ErrorKind::malformed, "invalid value '10parsec' for journal-commit-time");
  expect("bare", ErrorKind::malformed, "invalid value '1s5' for journal-commit-time");
  expect("number", ErrorKind::malformed, "the line of 'number': invalid value 'ten'");
  expect("mode", ErrorKind::malformed, "invalid value 'fast' for mode");
  expect("short", ErrorKind::malformed, "expected two to four fields");
  expect("long", ErrorKind::malformed, "expected two to four fields");
  expect("other", ErrorKind::unsupported, "unknown option 'frobnicate'");
  expect("#", ErrorKind::not_found, "no line for '#'");
  expect("nobody", ErrorKind::not_found, "no line for 'nobody'");
}

TEST(TabEntry, CountsMoreThanWhatIsStated) {
  StatedParams stated{.journal_watermark = 10, .no_journal = true};
  TabEntry{}.apply_to(stated);  // says nothing
  EXPECT_TRUE(stated.no_journal);
  EXPECT_EQ(stated.journal_watermark, 10u);
  EXPECT_FALSE(stated.allow_discards);
  TabEntry{.mode = Mode::bitmap, .journal_watermark = 30, .allow_discards = true}.apply_to(stated);
  EXPECT_TRUE(stated.bitmap_mode);
  EXPECT_FALSE(stated.no_journal);
  EXPECT_EQ(stated.journal_watermark, 30u);
  EXPECT_TRUE(stated.allow_discards);
}

}  // namespace
}  // namespace intact::integrity
