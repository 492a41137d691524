#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "progress_text.h"

namespace intact::console {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr ProgressState kHalf{"Unpacking", 50'000'000, 100'000'000, 2};

TEST(ProgressText, TellsAllOnAWideLine) {
  EXPECT_EQ(progress_text(kHalf, 100),
            "Unpacking [===============               ]  50%  50.0/100.0 MB  25 MB/s  0:02 left");
}

TEST(ProgressText, NeverExceedsTheLine) {
  for (std::size_t columns = 0; columns < 130; ++columns) {
    for (const std::uint64_t done : {0ULL, 1ULL, 50'000'000ULL, 100'000'000ULL, ~0ULL}) {
      ProgressState state = kHalf;
      state.done = done;
      EXPECT_LE(progress_text(state, columns).size(), columns);
      state.total = 0;
      EXPECT_LE(progress_text(state, columns).size(), columns);
    }
  }
}

TEST(ProgressText, LeavesOutTheLeastNeededFirst) {
  EXPECT_EQ(progress_text(kHalf, 14), "Unpacking  50%");
  EXPECT_EQ(progress_text(kHalf, 32), "Unpacking  50%  50.0/100.0 MB");
  EXPECT_EQ(progress_text(kHalf, 9), "Unpacking");
}

TEST(ProgressText, EndsAtAHundred) {
  ProgressState state = kHalf;
  state.done = 200'000'000;
  EXPECT_THAT(progress_text(state, 100), HasSubstr("100%  100.0/100.0 MB"));
}

TEST(ProgressText, SaysNothingOfWhatItCannotKnow) {
  ProgressState state = kHalf;
  state.seconds = 0;
  EXPECT_THAT(progress_text(state, 100), testing::Not(HasSubstr("left")));
  state.total = 0;
  EXPECT_EQ(progress_text(state, 100), "Unpacking  50.0 MB");
  EXPECT_EQ(progress_text(state, 13), "Unpacking ...");
  state.done = 0;
  EXPECT_EQ(progress_text(state, 100), "Unpacking ...");
}

TEST(ProgressText, LongTimesHaveHours) {
  const ProgressState state{"Unpacking", 1'000'000, 7'201'000'000, 1};
  EXPECT_THAT(progress_text(state, 100), HasSubstr("2:00:00 left"));
}

}  // namespace
}  // namespace intact::console
