#include <algorithm>
#include <atomic>
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

using ::testing::ContainsRegex;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

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

/// A pipe with a log in it, and everything that is read from it in the end.
struct Piped {
  Piped() { EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0); }
  ~Piped() { ::close(ends[0]); }
  std::string read() {
    std::string text;
    char buffer[4096];
    for (ssize_t count; (count = ::read(ends[0], buffer, sizeof buffer)) > 0;) {
      text.append(buffer, static_cast<std::size_t>(count));
      taken += static_cast<std::size_t>(count);
    }
    return text;
  }
  int ends[2];
  std::atomic<std::size_t> taken = 0;  ///< bytes read so far
};

// A thread that serves a file must not wait for a program that waits for that file.
TEST(LineLog, DoesNotWaitForAReaderThatMayWaitForIt) {
  Piped pipe;
  std::string read;
  std::thread reader;
  {
    LineLog log(pipe.ends[1]);
    ::alarm(250);
    for (int i = 0; i < 900; ++i) log.add(std::to_string(i) + " " + std::string(1000, 'x'));
    ::alarm(0);
    reader = std::thread([&] { read = pipe.read(); });
  }
  ::close(pipe.ends[1]);
  reader.join();
  EXPECT_EQ(std::ranges::count(read, '\n'), 900);
  EXPECT_LT(read.find(" 7 x"), read.find(" 899 x"));
  EXPECT_THAT(read, Not(HasSubstr("not logged")));
}

TEST(LineLog, CountsWhatASlowReaderLosesAndLogsItWhenItComesAgain) {
  Piped pipe;
  std::string read;
  std::thread reader;
  {
    LineLog log(pipe.ends[1]);
    const std::string tail(1000, 'x');
    // The queue and the pipe together take less.
    for (int i = 0; i < 2000; ++i) log.add(std::to_string(i) + " " + tail);
    log.add("one that is lost");
    reader = std::thread([&] { read = pipe.read(); });
    // There is room in the queue again once more has been read than was in the pipe.
    while (pipe.taken < 128 << 10) {
      log.add("one that is lost");
      ::usleep(1000);
    }
    log.add("one that is lost");  // and found again
  }
  ::close(pipe.ends[1]);
  reader.join();
  EXPECT_THAT(read, ContainsRegex(" [0-9]+ lines were not logged: the reader was too slow\n"));
  EXPECT_THAT(read, HasSubstr(" 0 x"));
  EXPECT_THAT(read, Not(HasSubstr(" 1999 x")));
  EXPECT_THAT(read, HasSubstr("one that is lost"));
}

TEST(LineLog, EndsThoughNobodyReads) {
  Piped pipe;
  {
    LineLog log(pipe.ends[1]);
    for (int i = 0; i < 300; ++i) log.add(std::to_string(i) + std::string(1000, 'x'));
  }
  // The thread that still waits for the reader writes no more.
  ::close(pipe.ends[1]);
  EXPECT_THAT(pipe.read(), HasSubstr(" 0x"));
}

TEST(LineLog, LosesNothingAtTheEndIfThereIsAReader) {
  Piped pipe;
  {
    LineLog log(pipe.ends[1]);
    log.add("closed: no space left");
  }
  ::close(pipe.ends[1]);
  EXPECT_THAT(pipe.read(), EndsWith(" closed: no space left\n"));
}

TEST(DistinctLines, ForgetsOnRequest) {
  DistinctLines lines;
  using enum DistinctLines::Verdict;
  EXPECT_EQ(lines.add("a"), fresh);
  EXPECT_EQ(lines.add("a"), known);
  lines.forget("a");
  lines.forget("b");
  EXPECT_EQ(lines.add("a"), fresh);
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
