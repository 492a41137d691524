#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/integrity/manage.h>

namespace intact::integrity {
namespace {

using testing::HasSubstr;

/// Why the params are refused.
std::string refusal(const StatedParams& stated) {
  const auto params = stated.params();
  if (params) return {};
  EXPECT_EQ(params.error().kind(), ErrorKind::invalid_argument);
  return params.error().message();
}

TEST(StatedParams, AreTheKernelsDefaultsUnlessStated) {
  const Params params = *StatedParams().params();
  EXPECT_EQ(params.mode, Mode::journal);
  EXPECT_EQ(params.block_size, 512U);
  EXPECT_EQ(params.commit_time, Params().commit_time);
  EXPECT_EQ(params.tag_size, std::nullopt);
  EXPECT_EQ(params.journal_sectors, std::nullopt);
  EXPECT_TRUE(params.fix_padding);
  EXPECT_TRUE(params.fix_hmac);
}

TEST(StatedParams, BecomeParams) {
  StatedParams stated;
  stated.journal_size = 1 << 20;
  stated.sector_size = 4096;
  stated.legacy_hmac = true;
  stated.bitmap_mode = true;
  stated.recalculate_reset = true;
  const Params params = *stated.params();
  EXPECT_EQ(params.journal_sectors, 2048U);
  EXPECT_EQ(params.block_size, 4096U);
  EXPECT_FALSE(params.fix_hmac);
  EXPECT_EQ(params.mode, Mode::bitmap);
  EXPECT_TRUE(params.recalculate);
  stated.in_line = true;
  EXPECT_EQ(stated.params()->mode, Mode::in_line);
}

TEST(StatedParams, AreRefusedByTheNameOfTheirOption) {
  EXPECT_THAT(refusal({.tag_size = 0}), HasSubstr("--tag-size 0: "));
  EXPECT_EQ(refusal({.tag_size = 1}), "");
  EXPECT_THAT(refusal({.sector_size = 8192}), HasSubstr("--sector-size 8192: "));
  EXPECT_THAT(refusal({.sector_size = 1536}), HasSubstr("--sector-size 1536: "));
  EXPECT_EQ(refusal({.sector_size = 2048}), "");
  EXPECT_THAT(refusal({.journal_size = 1000}), HasSubstr("--journal-size: not a multiple"));
  EXPECT_THAT(refusal({.journal_size = std::uint64_t{1} << 41}),
              HasSubstr("--journal-size: too large"));
  EXPECT_THAT(refusal({.journal_watermark = 101}), HasSubstr("--journal-watermark 101: "));
  EXPECT_EQ(refusal({.journal_watermark = 100}), "");
}

}  // namespace
}  // namespace intact::integrity
