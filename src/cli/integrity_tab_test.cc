#include "integrity_tab.h"

#include <gtest/gtest.h>

namespace intact::cli {
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
    "bare /img - journal-commit-time=1s5\n";

Result<IntegrityOptions> line(std::string_view name) {
  IntegrityOptions options;
  TRY(apply_integrity_tab(kTab, name, options));
  return options;
}

TEST(IntegrityTab, SaysDeviceAndOptions) {
  const IntegrityOptions home = line("home").value();
  EXPECT_EQ(home.device, "/dev/disk/by-partuuid/4973d0b8");
  EXPECT_EQ(home.journal_commit_time, 10u);
  EXPECT_EQ(home.journal_watermark, 55u);
  EXPECT_TRUE(home.allow_discards);
  EXPECT_EQ(home.integrity.name, "crc32c");

  const IntegrityOptions plain = line("plain").value();
  EXPECT_EQ(plain.device, "/dev/sdx");
  EXPECT_FALSE(plain.allow_discards);

  const IntegrityOptions apart = line("apart").value();
  EXPECT_EQ(apart.data_device, "/dev/disk/by-uuid/1234");
  EXPECT_EQ(apart.integrity.name, "sha256");
  EXPECT_TRUE(apart.bitmap_mode);
}

TEST(IntegrityTab, AKeyFileMeansHmacSha256) {
  const IntegrityOptions keyed = line("keyed").value();
  EXPECT_EQ(keyed.integrity.name, "hmac-sha256");
  EXPECT_EQ(keyed.integrity.key_file, "/key");
}

TEST(IntegrityTab, ZerosStandForTheDefaults) {
  const IntegrityOptions zeros = line("zeros").value();
  EXPECT_EQ(zeros.journal_commit_time, 10000u);
  EXPECT_EQ(zeros.journal_watermark, 50u);
}

TEST(IntegrityTab, NoneMeansNoKeyAndNoOptions) {
  const IntegrityOptions none = line("none").value();
  EXPECT_EQ(none.integrity.name, "crc32c");
  EXPECT_EQ(none.integrity.key_file, "");
  EXPECT_FALSE(none.allow_discards);
}

TEST(IntegrityTab, ReadsTimeSpansAsSystemdDoes) {
  EXPECT_EQ(line("spans").value().journal_commit_time, 10000u);
  EXPECT_TRUE(line("spans").value().no_journal);
  EXPECT_EQ(line("mixed").value().journal_commit_time, 61500u);
  EXPECT_EQ(line("fine").value().journal_commit_time, 250u);
}

TEST(IntegrityTab, RefusesWhatItDoesNotUnderstand) {
  for (const char* const name : {"large", "unit", "bare"})
    EXPECT_EQ(line(name).error().kind(), ErrorKind::malformed) << name;
  EXPECT_EQ(line("other").error().kind(), ErrorKind::unsupported);
  EXPECT_EQ(line("short").error().kind(), ErrorKind::malformed);
  EXPECT_EQ(line("number").error().kind(), ErrorKind::malformed);
  EXPECT_EQ(line("#").error().kind(), ErrorKind::not_found);
  EXPECT_EQ(line("nobody").error().kind(), ErrorKind::not_found);
}

TEST(KernelAlgorithm, IsIntegritysetupsNameInTheKernelsForm) {
  EXPECT_EQ(kernel_algorithm("crc32c"), "crc32c");
  EXPECT_EQ(kernel_algorithm("hmac-sha256"), "hmac(sha256)");
  EXPECT_EQ(kernel_algorithm("hmac-sha3-256"), "hmac(sha3-256)");
  EXPECT_EQ(kernel_algorithm("ctr-aes"), "ctr(aes)");
  EXPECT_EQ(kernel_algorithm("blake2b-256"), "blake2b-256");
  EXPECT_EQ(kernel_algorithm("hmac(sha1)"), "hmac(sha1)");
}

}  // namespace
}  // namespace intact::cli
