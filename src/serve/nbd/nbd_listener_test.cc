#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/serve/nbdkit.h>

namespace intact::serve {
namespace {

class Listener : public ::testing::Test {
 protected:
  static bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }
  static bool connects(const std::string& path) {
    const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }

  TempDir dir_ = TempDir::create().value();
};

TEST_F(Listener, TakesAUnixSocketAndTakesItAwayAgain) {
  const std::string path = dir_.path("a b.sock");
  {
    const auto listener = NbdListener::bind(path);
    ASSERT_TRUE(listener);
    EXPECT_EQ(listener->uri(), "nbd+unix:///?socket=" + dir_.path() + "/a%20b.sock");
    EXPECT_TRUE(connects(path));
    struct stat status;
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
  }
  EXPECT_FALSE(exists(path));
}

TEST_F(Listener, ReplacesOnlyWhatNobodyListensAt) {
  const std::string path = dir_.path("sock");
  {
    auto killed = NbdListener::bind(path).value();
    killed.release();
  }
  ASSERT_TRUE(exists(path));
  {
    const auto listener = NbdListener::bind(path);
    ASSERT_TRUE(listener);
    const auto second = NbdListener::bind(path);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind(), ErrorKind::busy);
    EXPECT_EQ(second.error().message(),
              path +
                  ": cannot listen: the address is in use; pass another path, or end the server "
                  "there with `intact umount`");
    EXPECT_TRUE(connects(path));
  }
  ASSERT_TRUE(write_file_durably(path, as_bytes("a file"), 0600));
  const auto file = NbdListener::bind(path);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().kind(), ErrorKind::busy);
  EXPECT_EQ(as_text(read_file(path, 100).value()), "a file");
}

TEST_F(Listener, TakesAllAddressesOfAHost) {
  // Any free port; another process may take it in between, so several are tried.
  for (int port = 30000 + ::getpid() % 20000, end = port + 20; port < end; ++port) {
    const auto listener = NbdListener::bind("tcp:127.0.0.1:" + std::to_string(port));
    if (!listener) continue;
    EXPECT_EQ(listener->uri(), "nbd://127.0.0.1:" + std::to_string(port));
    EXPECT_EQ(listener->sockets().size(), 1u);
    EXPECT_EQ(listener->path(), "");
    const auto second = NbdListener::bind("tcp:127.0.0.1:" + std::to_string(port));
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind(), ErrorKind::busy);
    EXPECT_THAT(second.error().message(),
                ::testing::EndsWith("the address is in use; pass another port, or end the server "
                                    "there"));
    return;
  }
  FAIL() << "no free port";
}

TEST_F(Listener, RefusesAddressesThatAreNone) {
  for (const char* address : {"tcp:", "tcp:host", "tcp::10809", "tcp:127.0.0.1:", "tcp:127.0.0.1:0",
                              "tcp:127.0.0.1:65536", "tcp:127.0.0.1:http", "tcp:::1:10809"}) {
    const auto listener = NbdListener::bind(address);
    ASSERT_FALSE(listener) << address;
    EXPECT_EQ(listener.error().kind(), ErrorKind::invalid_argument) << address;
  }
  const auto too_long = NbdListener::bind(dir_.path(std::string(120, 'x')));
  ASSERT_FALSE(too_long);
  EXPECT_EQ(too_long.error().kind(), ErrorKind::invalid_argument);
  const auto nowhere = NbdListener::bind(dir_.path("missing/sock"));
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().kind(), ErrorKind::not_found);
}

}  // namespace
}  // namespace intact::serve
