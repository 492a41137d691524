#include <csignal>

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/file.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/service/background.h>

namespace intact::service {
namespace {

TEST(Background, ReturnsTheChildOnceItIsReadyAndLetsItLive) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const auto result = run_in_background([&](BackgroundProcess& process) -> Result<void> {
    EXPECT_TRUE(tell_ready(process.take_ready()));
    ::usleep(10000);
    TRY(write_all(writer.get(), as_bytes(fmt::format("{} is alive after it", ::getpid()))));
    return {};
  });
  ASSERT_TRUE(result) << result.error().message();
  writer.reset();
  EXPECT_NE(*result, ::getpid());
  EXPECT_EQ(as_text(read_fd(reader.get(), 100).value()),
            fmt::format("{} is alive after it", *result));
}

TEST(Background, EndsTheChildAsAskedForAndWaitsForIt) {
  const auto dir = TempDir::create().value();
  const std::string mark = dir.path("ended");
  const auto child = run_in_background([&](BackgroundProcess& process) -> Result<void> {
    sigset_t end;
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &end, nullptr);
    EXPECT_TRUE(tell_ready(process.take_ready()));
    int signal = 0;
    ::sigwait(&end, &signal);
    return write_file_durably(mark, as_bytes("as asked for"), 0600);
  });
  ASSERT_TRUE(child);
  end_background(*child);
  EXPECT_EQ(::access(mark.c_str(), F_OK), 0);
  EXPECT_EQ(::kill(*child, 0), -1);
}

TEST(Background, HandsTheErrorOfTheChildBack) {
  const auto result = run_in_background([](BackgroundProcess&) -> Result<void> {
    return Error(ErrorKind::untrusted, "nobody signed\nthis 7 8", 5);
  });
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind(), ErrorKind::untrusted);
  EXPECT_EQ(result.error().message(), "nobody signed\nthis 7 8");
  EXPECT_EQ(result.error().sys_errno(), 5);
}

TEST(Background, NoticesAChildThatIsKilledOrEndsTooEarly) {
  const auto killed = run_in_background([](BackgroundProcess&) -> Result<void> {
    ::kill(::getpid(), SIGKILL);
    return {};
  });
  ASSERT_FALSE(killed);
  EXPECT_THAT(killed.error().message(), ::testing::HasSubstr("signal 9"));
  const auto early = run_in_background([](BackgroundProcess&) -> Result<void> { return {}; });
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().kind(), ErrorKind::io);
}

TEST(Background, LeavesTheTerminalWithoutTheDescriptorsOfItsStarter) {
  const auto dir = TempDir::create();
  ASSERT_TRUE(dir);
  const std::string log_path = dir->path("log");
  const auto log = open_file(log_path, O_WRONLY | O_CREAT, 0600);
  ASSERT_TRUE(log);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);  // inherited: its reader waits for the last writer
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const auto result = run_in_background([&](BackgroundProcess& process) -> Result<void> {
    process.leave_terminal(log->get());
    const bool left = ::getsid(0) == ::getpid() && ::fcntl(ends[1], F_GETFD) == -1;
    TRY(write_all(STDERR_FILENO, as_bytes(left ? "left" : "still there")));
    EXPECT_TRUE(tell_ready(process.take_ready()));
    ::sleep(1);
    return {};
  });
  ASSERT_TRUE(result) << result.error().message();
  writer.reset();
  EXPECT_EQ(read_fd(reader.get(), 10).value().size(), 0u);  // and does not wait for the child
  EXPECT_EQ(as_text(read_file(log_path, 100).value()), "left");
}

}  // namespace
}  // namespace intact::service
