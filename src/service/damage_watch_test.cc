#include <algorithm>
#include <cstdio>
#include <string>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <intact/service/damage_watch.h>

namespace intact::service {
namespace {

Damage bad_block(std::uint64_t block, std::string reason) {
  return {.object = "objects/aa/bb",
          .range = DamagedRange{.first = block, .offset = block * 4096, .bytes = 4096},
          .path = "/\x1b",
          .reason = std::move(reason)};
}

void print(std::string_view line) {
  std::fprintf(stderr, "said: %s\n", std::string(line).c_str());
}

bool readable(int fd) {
  pollfd event = {fd, POLLIN, 0};
  return ::poll(&event, 1, 0) == 1;
}

TEST(DamageWatch, HearsOfWhatAnotherProcessFinds) {
  const auto watch = DamageWatch::create(&print);
  ASSERT_TRUE(watch);
  EXPECT_EQ((*watch)->count(), 0u);
  EXPECT_FALSE(readable((*watch)->event_fd()));
  const pid_t child = ::fork();
  if (child == 0) {
    (*watch)->note(bad_block(0, "is bad"), "");
    (*watch)->note(bad_block(0, "is bad again"), "");  // the same block: counted once
    (*watch)->note(bad_block(7, "is bad"), "");
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ((*watch)->count(), 2u);
  EXPECT_TRUE(readable((*watch)->event_fd()));
}

// A FUSE thread that waited for stderr could wait for a container that waits for that thread.
TEST(DamageWatch, NeverWaitsForTheReaderOfStderr) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const int saved = ::dup(STDERR_FILENO);
  ASSERT_EQ(::dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
  auto watch = DamageWatch::create(&print);
  ::dup2(saved, STDERR_FILENO);
  ::close(saved);
  ::close(ends[1]);
  ASSERT_TRUE(watch);
  ::alarm(30);
  for (std::uint64_t block = 0; block < 5000; ++block)
    (*watch)->note(bad_block(block, std::string(1000, 'x')), "");
  ::alarm(0);
  EXPECT_TRUE(readable((*watch)->event_fd()));
  EXPECT_EQ((*watch)->count(), 5000u);
  std::string printed;
  std::thread reader([&] {
    char buffer[4096];
    for (ssize_t count; (count = ::read(ends[0], buffer, sizeof buffer)) > 0;)
      printed.append(buffer, static_cast<std::size_t>(count));
  });
  ::testing::internal::CaptureStderr();
  (*watch)->finish();
  const std::string told = ::testing::internal::GetCapturedStderr();
  reader.join();
  ::close(ends[0]);
  EXPECT_EQ(printed.find("said: damaged: /\\x1b: block 0 (byte 0) of objects/aa/bb: xxx"), 0u);
  const auto lines = std::ranges::count(printed, '\n');
  EXPECT_EQ(told, "said: " + std::to_string(5000 - lines) +
                      " lines about damage could not be printed in time\n");
}

}  // namespace
}  // namespace intact::service
