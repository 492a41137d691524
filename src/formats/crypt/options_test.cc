#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <intact/crypt/options.h>

namespace intact::crypt {
namespace {

using Words = std::vector<std::string>;

TEST(Options, AreReadInAnyOrderAndWrittenInTheKernels) {
  const auto options = Options::parse(
      Words{"iv_large_sectors", "SECTOR_SIZE:4096", "integrity_key_size:32", "integrity:48:AEAD",
            "no_write_workqueue", "no_read_workqueue", "submit_from_crypt_cpus", "high_priority",
            "same_cpu_crypt", "Allow_Discards"});
  ASSERT_TRUE(options) << options.error().message();
  EXPECT_EQ(options->words(),
            (Words{"allow_discards", "same_cpu_crypt", "high_priority", "submit_from_crypt_cpus",
                   "no_read_workqueue", "no_write_workqueue", "integrity:48:aead",
                   "integrity_key_size:32", "sector_size:4096", "iv_large_sectors"}));
  EXPECT_EQ(Options::parse({})->words(), Words());
  EXPECT_EQ(Options::parse(Words{"sector_size:512"})->words(), Words());
  EXPECT_EQ(Options::parse(Words{"integrity:16:none"})->words(), Words{"integrity:16:none"});
}

TEST(Options, SurviveBeingWritten) {
  EXPECT_TRUE(rc::check([] {
    Options options;
    for (bool* const flag :
         {&options.allow_discards, &options.same_cpu_crypt, &options.high_priority,
          &options.submit_from_crypt_cpus, &options.no_read_workqueue, &options.no_write_workqueue,
          &options.iv_large_sectors})
      *flag = *rc::gen::arbitrary<bool>();
    options.record_size = *rc::gen::inRange(0U, kMaxRecordSize + 1);
    options.is_aead = options.record_size != 0 && *rc::gen::arbitrary<bool>();
    options.mac_key_size = *rc::gen::inRange(0U, 100U);
    options.sector_size = 512U << *rc::gen::inRange(0, 4);
    const auto again = Options::parse(options.words());
    RC_ASSERT(again.has_value());
    RC_ASSERT(*again == options);
    const SectorParams params = options.sector_params({.cipher = "xts(aes)"}, 8);
    RC_ASSERT(params.spec.cipher == "xts(aes)");
    RC_ASSERT(params.iv_offset == 8u);
    RC_ASSERT(params.sector_size == options.sector_size);
    RC_ASSERT(params.iv_large_sectors == options.iv_large_sectors);
    RC_ASSERT(params.record_size == options.record_size);
    RC_ASSERT(params.is_aead == options.is_aead);
    RC_ASSERT(params.mac_key_size == options.mac_key_size);
  }));
}

TEST(Options, AreRefusedInTheKernelsWords) {
  const auto refusal = [](const std::string& word) {
    const auto options = Options::parse(Words{"allow_discards", word});
    if (options) return std::string("accepted");
    EXPECT_EQ(options.error().kind(), ErrorKind::invalid_argument);
    return options.error().message();
  };
  EXPECT_EQ(refusal("same_cpu_crypt"), "accepted");
  EXPECT_EQ(refusal("nonsense"), "Invalid feature arguments: 'nonsense'");
  EXPECT_EQ(refusal(""), "Invalid feature arguments: ''");
  EXPECT_EQ(refusal("integrity:0:aead"), "Invalid integrity arguments: 'integrity:0:aead'");
  for (const char* const word : {"integrity:", "integrity:16", "integrity:481:aead",
                                 "integrity:x:aead", "integrity:99999999999:aead"})
    EXPECT_TRUE(refusal(word).starts_with("Invalid integrity arguments")) << word;
  EXPECT_EQ(refusal("integrity:16:hmac"), "Unknown integrity profile: 'integrity:16:hmac'");
  EXPECT_EQ(refusal("integrity:16:"), "Unknown integrity profile: 'integrity:16:'");
  EXPECT_EQ(refusal("integrity_key_size:0"),
            "Invalid integrity_key_size argument: 'integrity_key_size:0'");
  for (const char* const word : {"sector_size:", "sector_size:0", "sector_size:513",
                                 "sector_size:8192", "sector_size:512x", "sector_size:66048"})
    EXPECT_TRUE(refusal(word).starts_with("Invalid feature value for sector_size")) << word;
}

}  // namespace
}  // namespace intact::crypt
