#include <atomic>
#include <filesystem>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/service/status_server.h>

namespace intact::service {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class StatusServerTest : public ::testing::Test {
 protected:
  /// A server of the file `name` that says how often it was asked before.
  std::unique_ptr<StatusServer> start(const char* name) {
    EXPECT_TRUE(write_file_durably(dir_.path(name), Bytes(4096), 0600));
    const UniqueFd file = open_file(dir_.path(name), O_RDONLY).value();
    return StatusServer::start(dir(), file.get(),
                               [asked = 0]() mutable { return std::to_string(++asked); })
        .value();
  }
  std::vector<std::string> ask(const char* name) const {
    return ask_status_servers_in(open_file(dir(), O_RDONLY | O_DIRECTORY).value().get(),
                                 open_file(dir_.path(name), O_RDONLY).value().get());
  }
  std::string dir() const { return dir_.path("sockets"); }
  std::ptrdiff_t sockets() const {
    return std::distance(std::filesystem::directory_iterator(dir()), {});
  }
  void SetUp() override { ASSERT_TRUE(make_directories(dir(), 0700)); }

  TempDir dir_ = TempDir::create().value();
};

TEST_F(StatusServerTest, AnswersForItsFileAlone) {
  {
    const auto server = start("one");
    EXPECT_THAT(ask("one"), ElementsAre("1"));
    EXPECT_THAT(ask("one"), ElementsAre("2"));
    const auto other = start("other");
    EXPECT_THAT(ask("other"), ElementsAre("1"));
    EXPECT_THAT(ask("one"), SizeIs(1));
  }
  EXPECT_THAT(ask("one"), IsEmpty());
  EXPECT_EQ(sockets(), 0);
}

TEST_F(StatusServerTest, RemovesWhatKilledServersLeft) {
  // As after a kill: the name is there, and nobody listens.
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  const std::string path = dir() + "/status-0:1:2-3.sock";
  ASSERT_LT(path.copy(address.sun_path, sizeof address.sun_path - 1), sizeof address.sun_path - 1);
  {
    const UniqueFd left(::socket(AF_UNIX, SOCK_STREAM, 0));
    ASSERT_EQ(::bind(left.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  EXPECT_EQ(sockets(), 1);
  const auto server = start("one");
  EXPECT_EQ(sockets(), 1);
  EXPECT_THAT(ask("one"), SizeIs(1));
  EXPECT_FALSE(std::filesystem::exists(path));
}

// One that is killed between making its socket and listening has no process that would remove it:
// the next server does, but not while another one is at that point.
TEST_F(StatusServerTest, RemovesSocketsThatNeverListened) {
  const std::string left = dir() + "/.status-99";
  ASSERT_TRUE(write_file_durably(left, {}, 0600));
  {
    const UniqueFd busy = open_file(dir(), O_RDONLY | O_DIRECTORY).value();
    ASSERT_EQ(::flock(busy.get(), LOCK_SH), 0);
    const auto server = start("one");
    EXPECT_TRUE(std::filesystem::exists(left));
    EXPECT_THAT(ask("one"), SizeIs(1));
  }
  const auto server = start("one");
  EXPECT_FALSE(std::filesystem::exists(left));
  EXPECT_THAT(ask("one"), SizeIs(1));
  EXPECT_EQ(sockets(), 1);
}

TEST_F(StatusServerTest, NeedsADirectory) {
  EXPECT_FALSE(StatusServer::start(dir_.path("nowhere"), STDIN_FILENO, [] { return ""; }));
  EXPECT_THAT(ask_status_servers_in(-1, 0), IsEmpty());
}

// The servers may be another user's.
TEST_F(StatusServerTest, WaitsForNoServerThatTakesForEver) {
  const auto honest = start("one");
  const std::string own = std::filesystem::directory_iterator(dir())->path().filename();
  const std::string silent = dir() + "/" + own.substr(0, own.rfind('-')) + "-9999999999.sock";
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  ASSERT_LT(silent.copy(address.sun_path, sizeof address.sun_path - 1),
            sizeof address.sun_path - 1);
  const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM, 0));
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  std::atomic<bool> done = false;
  std::thread dripping([&] {
    const UniqueFd client(::accept(listener.get(), nullptr, nullptr));
    while (!done && ::send(client.get(), "x", 1, MSG_NOSIGNAL) == 1) ::usleep(50000);
  });
  EXPECT_THAT(ask("one"), ElementsAre("1"));  // which waits for nothing that takes forever
  done = true;
  ::shutdown(listener.get(), SHUT_RDWR);
  dripping.join();
}

TEST_F(StatusServerTest, TakesNoEndlessAnswer) {
  EXPECT_TRUE(write_file_durably(dir_.path("one"), Bytes(4096), 0600));
  const UniqueFd file = open_file(dir_.path("one"), O_RDONLY).value();
  const auto server =
      StatusServer::start(dir(), file.get(), [] { return std::string(100000, 'x'); });
  ASSERT_TRUE(server);
  EXPECT_THAT(ask("one"), IsEmpty());
}

}  // namespace
}  // namespace intact::service
