#include <algorithm>
#include <string>
#include <thread>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/line_log.h>

namespace intact {
namespace {

using ::testing::EndsWith;
using ::testing::MatchesRegex;

/// What a log holds after `fill` has written to it.
template <typename Fill>
std::string logged(Fill fill) {
  const auto dir = TempDir::create();
  const UniqueFd file = open_file(dir->path("log"), O_RDWR | O_CREAT, 0600).value();
  LineLog log(file.get());
  fill(log);
  const Bytes bytes =
      read_fd(open_file(dir->path("log"), O_RDONLY).value().get(), 64 << 20).value();
  return std::string(as_text(bytes));
}

TEST(LineLog, WritesEachLineOnceAndNeverTwoForOne) {
  EXPECT_THAT(logged([](LineLog& log) {
                log.add("block 5");
                log.add("block 5");
                log.add("name\nwith \x1b[31mtricks \u202e");
              }),
              MatchesRegex("[^ \n]+ block 5\n"
                           "[^ \n]+ name\\\\x0awith \\\\x1b.31mtricks \\\\u.202e.\n"));
}

// A thread that serves a file must not wait for a program that waits for that file.
TEST(LineLog, DoesNotWaitForAReaderThatMayWaitForIt) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  std::string read;
  std::thread reader;
  {
    LineLog log(ends[1], LineLog::Reader::may_wait_for_us);
    ::alarm(30);
    for (int i = 0; i < 2000; ++i) log.add(std::to_string(i) + " " + std::string(1000, 'x'));
    ::alarm(0);
    reader = std::thread([&] {
      char buffer[4096];
      for (ssize_t count; (count = ::read(ends[0], buffer, sizeof buffer)) > 0;)
        read.append(buffer, static_cast<std::size_t>(count));
    });
  }
  ::close(ends[1]);
  reader.join();
  ::close(ends[0]);
  EXPECT_EQ(std::ranges::count(read, '\n'), 2000);
  EXPECT_LT(read.find(" 7 x"), read.find(" 1999 x"));
}

TEST(LineLog, HasAnEndHoweverManyOrLongTheLinesAre) {
  const std::string many = logged([](LineLog& log) {
    for (std::size_t i = 0; i < DistinctLines::kMaxLines + 10; ++i) log.add(std::to_string(i));
  });
  EXPECT_EQ(static_cast<std::size_t>(std::ranges::count(many, '\n')), DistinctLines::kMaxLines + 1);
  EXPECT_THAT(many, EndsWith(" too many different lines: no more are logged\n"));

  const std::string large = logged([](LineLog& log) {
    for (int i = 0; i < 3000; ++i) log.add(std::to_string(i) + std::string(1 << 16, 'x'));
  });
  EXPECT_LT(large.size(), DistinctLines::kMaxBytes + (1 << 20));
  EXPECT_THAT(large, EndsWith(" too many different lines: no more are logged\n"));
}

}  // namespace
}  // namespace intact
