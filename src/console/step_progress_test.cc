#include <gtest/gtest.h>

#include <intact/console/progress.h>

namespace intact::console {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

TEST(StepProgress, IsWrittenAsCryptsetupDoes) {
  // 100 MiB of 400 in 10 s.
  const ProgressSample some{.done = 100 * kMiB, .total = 400 * kMiB, .begin = 0, .seconds = 10};
  EXPECT_EQ(progress_text_line(some),
            "Progress:  25.0%, ETA 00m30s,  100 MiB written, speed  10.0 MiB/s");
  EXPECT_EQ(progress_json_line("disk", some),
            R"({"device":"disk","device_bytes":"104857600","device_size":"419430400",)"
            R"("speed":"10485760","eta_ms":"30000","time_ms":"10000"})");
  const ProgressSample all{.done = 400 * kMiB, .total = 400 * kMiB, .begin = 0, .seconds = 40};
  EXPECT_EQ(progress_text_line(all), "Finished, time 00m40s,  400 MiB written, speed  10.0 MiB/s");
  EXPECT_NE(progress_json_line("disk", all).find(R"("eta_ms":"0")"), std::string::npos);
}

TEST(StepProgress, ChangesUnitsWhereCryptsetupDoes) {
  const ProgressSample large{
      .done = 8ull << 40, .total = 16ull << 40, .begin = 0, .seconds = 65536};
  EXPECT_EQ(progress_text_line(large),
            "Progress:  50.0%, ETA 18h12m16s,    8 TiB written, speed 128.0 MiB/s");
  const ProgressSample slow{.done = 1 << 10, .total = 1ull << 40, .begin = 0, .seconds = 1};
  EXPECT_EQ(progress_text_line(slow),
            "Progress:   0.0%, ETA 12427 days,    0 MiB written, speed 1024.0 B/s");
}

TEST(StepProgress, StandsWhereNothingHasBeenDone) {
  const ProgressSample none{.done = 5, .total = 10, .begin = 5, .seconds = 1};
  EXPECT_EQ(progress_text_line(none),
            "Progress:  50.0%, ETA 00m00s,    0 MiB written, speed   0.0 B/s");
}

}  // namespace
}  // namespace intact::console
