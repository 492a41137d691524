#include <csignal>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <intact/base/error.h>
#include <intact/base/file.h>
#include <intact/service/background.h>
#include <intact/service/server.h>

namespace intact::service {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// What the other end of a pipe can be asked for.
class Pipe {
 public:
  Pipe() { EXPECT_EQ(::pipe2(ends_, O_CLOEXEC), 0); }
  ~Pipe() {
    ::close(ends_[0]);
    close_writer();
  }
  void close_writer() {
    if (ends_[1] >= 0) ::close(std::exchange(ends_[1], -1));
  }
  bool wait() const {
    char byte = 0;
    return ::read(ends_[0], &byte, 1) == 1;
  }
  void tell() const { (void)!::write(ends_[1], "x", 1); }

 private:
  int ends_[2];
};

/// Runs a server until it is asked to end, in a process of its own, and returns how that ended.
/// `signal` is sent to it from outside, unless it is 0.
template <typename Ask>
int status_after(int signal, Ask ask) {
  Pipe ready;
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);
    Pipe asked;
    const auto run = [&]() -> Result<void> {
      Server server({.title = "volume"});
      const auto end = TRY(server.end_on_request([&] { asked.tell(); }));
      ready.tell();
      ask(server);
      asked.wait();
      ::usleep(50000);  // so that another signal meets an ending server
      return server.close({}, {});
    };
    const Result<void> ended = run();
    ::_exit(ended ? 0 : exit_status(ended.error()));
  }
  ready.close_writer();
  EXPECT_TRUE(ready.wait());
  if (signal != 0) ::kill(child, signal);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}

TEST(Server, IsEndedBySignalsInAnOrderlyWay) {
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) {
    const int status = status_after(signal, [](Server&) {});
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << signal << ": " << status;
  }
}

TEST(Server, IsNotKilledByMoreSignals) {
  const int status = status_after(0, [](Server&) {
    for (int i = 0; i < 3; ++i)
      for (const int signal : {SIGTERM, SIGHUP, SIGINT}) ::kill(::getpid(), signal);
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST(Server, EndsAsTamperedWhenDamageStopsIt) {
  const int status = status_after(0, [](Server& server) { server.stop(); });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 3) << status;
}

TEST(Server, RemembersToStopUntilItCan) {
  Server server({.title = "volume"});
  server.stop();
  Pipe asked;
  const auto end = server.end_on_request([&] { asked.tell(); });
  ASSERT_TRUE(end);
  EXPECT_TRUE(asked.wait());
  const auto closed = server.close({}, {});
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().message(), "volume: damaged; stopped as requested");
}

TEST(Server, LeavesIgnoredSignalsIgnoredAndRestoresTheMask) {
  const auto before = std::signal(SIGHUP, SIG_IGN);
  {
    Server server({});
    bool asked = false;
    const auto end = server.end_on_request([&] { asked = true; });
    ASSERT_TRUE(end);
    ::kill(::getpid(), SIGHUP);
    ::usleep(50000);
    EXPECT_FALSE(asked);
    sigset_t mask;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    EXPECT_EQ(::sigismember(&mask, SIGHUP), 0);
    EXPECT_EQ(::sigismember(&mask, SIGTERM), 1);
  }
  std::signal(SIGHUP, before);
  sigset_t mask;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  EXPECT_EQ(::sigismember(&mask, SIGTERM), 0);
}

TEST(Server, TwoOfThemCanWaitOneAfterTheOther) {
  for (int i = 0; i < 2; ++i) {
    Server server({});
    Pipe asked;
    const auto end = server.end_on_request([&] { asked.tell(); });
    ASSERT_TRUE(end);
    ::kill(::getpid(), SIGTERM);
    EXPECT_TRUE(asked.wait());
  }
}

class ServerClose : public ::testing::Test {
 protected:
  std::string logged() const {
    return std::string(as_text(read_file(dir_.path("log"), 4096).value()));
  }
  Server::Options options(bool logs_errors) {
    return {.log_fd = log_.get(), .logs_errors = logs_errors, .title = "volume"};
  }
  static Result<void> fails() { return Error(ErrorKind::limit, "disk: no space left"); }

  TempDir dir_ = TempDir::create().value();
  UniqueFd log_ = open_file(dir_.path("log"), O_RDWR | O_CREAT, 0600).value();
};

TEST_F(ServerClose, ReturnsAndLogsTheErrorOfClosing) {
  Server server(options(true));
  const auto closed =
      server.close({}, {.close = fails, .summary = [] { return "2 blocks damaged"; }});
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().kind(), ErrorKind::limit);
  EXPECT_THAT(logged(), HasSubstr(" disk: no space left\n"));
  EXPECT_THAT(logged(), HasSubstr(" 2 blocks damaged\n"));
}

TEST_F(ServerClose, ClosesAlsoAfterServingFailedAndReturnsTheFirstError) {
  Server server(options(true));
  const auto closed = server.close(Error(ErrorKind::io, "connection lost"), {.close = fails});
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().message(), "connection lost");
  EXPECT_THAT(logged(), HasSubstr(" connection lost\n"));
  EXPECT_THAT(logged(), HasSubstr(" disk: no space left\n"));
}

TEST_F(ServerClose, LeavesErrorsToTheCallerInTheForeground) {
  Server server(options(false));
  EXPECT_FALSE(server.close({}, {.close = fails}));
  EXPECT_THAT(logged(), IsEmpty());
}

TEST_F(ServerClose, LogsInTheForegroundTheErrorThatItCannotReturn) {
  Server server(options(false));
  server.stop();
  const auto closed = server.close({}, {.close = fails});
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().kind(), ErrorKind::tampered);
  EXPECT_THAT(logged(), HasSubstr(" disk: no space left\n"));
}

TEST_F(ServerClose, HasNothingToSayWithoutDamage) {
  Server server(options(true));
  EXPECT_TRUE(
      server.close({}, {.close = [] { return Result<void>(); }, .summary = [] { return ""; }}));
  EXPECT_THAT(logged(), IsEmpty());
}

TEST(TellReady, KnowsWhetherAnyoneListens) {
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  UniqueFd reader(ends[0]);
  EXPECT_TRUE(tell_ready(UniqueFd(ends[1])));
  char byte = 0;
  EXPECT_EQ(::read(reader.get(), &byte, 1), 1);
  EXPECT_EQ(byte, kReady);
  EXPECT_EQ(::read(reader.get(), &byte, 1), 0);  // and is closed
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  ::close(ends[0]);
  EXPECT_FALSE(tell_ready(UniqueFd(ends[1])));
  std::signal(SIGPIPE, before);
}

}  // namespace
}  // namespace intact::service
