#include <atomic>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <intact/base/file.h>
#include <intact/stack/status_server.h>

namespace intact::stack {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// Counts how often it is asked after the first time, which is when a server starts.
class Counting final : public block::ReadOnlyDevice {
 public:
  std::uint64_t size() const override { return 0; }
  block::Limits limits() const override { return {}; }
  Result<void> read(std::uint64_t, MutableByteSpan) const override { return {}; }
  std::vector<block::Counter> counters() const override {
    return {{"asked", std::uint64_t(asked_++)}};
  }

 private:
  mutable std::atomic<std::uint64_t> asked_ = 0;
};

class StatusServerTest : public ::testing::Test {
 protected:
  /// A stack on the file `name` that counts how often it is asked.
  Stack counting(const char* name) {
    EXPECT_TRUE(write_file_durably(dir_.path(name), Bytes(4096), 0600));
    Stack stack(block::FileDevice::open(dir_.path(name), block::Access::read_only).value());
    stack.push("counter", std::make_shared<Counting>());
    return stack;
  }
  /// How often each of its servers says that it was asked.
  std::vector<int> ask(const char* name) const {
    std::vector<int> counts;
    for (const std::string& text :
         ask_status_servers(dir(), open_file(dir_.path(name), O_RDONLY).value().get()))
      counts.push_back(parse_json(text).value()["layers"][0]["asked"].get<int>());
    return counts;
  }
  std::string dir() const { return dir_.path("sockets"); }
  std::ptrdiff_t sockets() const {
    return std::distance(std::filesystem::directory_iterator(dir()), {});
  }
  void SetUp() override { ASSERT_TRUE(make_directories(dir(), 0700)); }

  TempDir dir_ = TempDir::create().value();
};

TEST_F(StatusServerTest, AnswersForItsFileAlone) {
  const Stack stack = counting("one");
  const Stack other = counting("other");
  {
    const auto server = StatusServer::start(dir(), stack).value();
    EXPECT_THAT(ask("one"), ElementsAre(1));
    EXPECT_THAT(ask("one"), ElementsAre(2));
    EXPECT_THAT(ask("other"), IsEmpty());
    const auto second = StatusServer::start(dir(), other).value();
    EXPECT_THAT(ask("other"), ElementsAre(1));
    EXPECT_THAT(ask("one"), SizeIs(1));
  }
  EXPECT_THAT(ask("one"), IsEmpty());
  EXPECT_EQ(sockets(), 0);
}

TEST_F(StatusServerTest, IsNoneWhereNothingIsCounted) {
  const Stack stack((dm::File()));
  EXPECT_EQ(StatusServer::start(dir(), stack).value(), nullptr);
}

TEST_F(StatusServerTest, RemovesWhatKilledServersLeft) {
  const Stack stack = counting("one");
  ASSERT_TRUE(StatusServer::start(dir(), stack).value());
  // As after a kill: the name is there, and nobody listens.
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  const std::string path = dir() + "/status-0:1:2-3.sock";
  ASSERT_LT(path.copy(address.sun_path, sizeof address.sun_path - 1), sizeof address.sun_path - 1);
  {
    const UniqueFd left(::socket(AF_UNIX, SOCK_STREAM, 0));
    ASSERT_EQ(::bind(left.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  EXPECT_EQ(sockets(), 1);
  const auto server = StatusServer::start(dir(), stack).value();
  EXPECT_EQ(sockets(), 1);
  EXPECT_THAT(ask("one"), SizeIs(1));
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(StatusServerTest, NeedsADirectory) {
  const Stack stack = counting("one");
  EXPECT_FALSE(StatusServer::start(dir_.path("nowhere"), stack));
  EXPECT_THAT(ask_status_servers(dir_.path("nowhere"), 0), IsEmpty());
}

}  // namespace
}  // namespace intact::stack
