// The plugin as nbdkit calls it, without nbdkit: what it would call is here.
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <functional>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include <intact/base/file.h>
#include <intact/block/memory_device.h>
#include <intact/service/background.h>
#include <intact/stack/plan.h>

#include "ending.h"
#include "server.h"

extern "C" nbdkit_plugin* plugin_init();

namespace {

int last_errno = 0;
std::string last_error;
std::vector<std::string> added_extents;
std::size_t extents_wanted = 100;  // then nbdkit_add_extent() fails

}  // namespace

extern "C" {
void nbdkit_error(const char* format, ...) {
  char text[1000];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  last_error = text;
}
void nbdkit_set_error(int code) {
  last_errno = code;
}
int nbdkit_add_extent(nbdkit_extents*, std::uint64_t offset, std::uint64_t length,
                      std::uint32_t type) {
  if (added_extents.size() == extents_wanted) return -1;
  added_extents.push_back(fmt::format("{}+{}:{}", offset, length, type));
  return 0;
}
void nbdkit_shutdown() {}
}

namespace intact {
namespace {

using ::testing::ElementsAre;
using ::testing::ExitedWithCode;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::uint32_t kBlock = 512;
constexpr std::size_t kBlocks = 8;

/// Memory in blocks, whose operations fail on request, and which knows of holes.
class TestDevice final : public block::Device {
 public:
  explicit TestDevice(bool writable) : writable_(writable) {}

  std::uint64_t size() const override { return memory_.size(); }
  block::Limits limits() const override { return {.block_size = kBlock, .writable = writable_}; }
  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override {
    if (failure) return failure();
    return memory_.read(offset, out);
  }
  Result<void> write(std::uint64_t offset, ByteSpan bytes) override {
    if (failure) return failure();
    TRY(block::check_blocks(*this, offset, bytes.size()));
    return memory_.write(offset, bytes);
  }
  Result<void> flush() override {
    if (failure) return failure();
    ++flushes;
    return {};
  }
  Result<void> discard(std::uint64_t offset, std::uint64_t length) override {
    if (failure) return failure();
    return memory_.discard(offset, length);
  }
  Result<void> zero(std::uint64_t offset, std::uint64_t length) override {
    if (failure) return failure();
    return memory_.zero(offset, length);
  }
  Result<void> extents(std::uint64_t offset, std::uint64_t,
                       const block::ExtentSink& sink) const override {
    if (failure) return failure();
    using enum block::ExtentKind;
    for (const auto& [length, kind] :
         {std::pair{kBlock, data}, {2 * kBlock, zero}, {kBlock, hole}}) {
      if (!sink({offset, length, kind})) break;
      offset += length;
    }
    return {};
  }
  std::string summary() const override { return summary_text; }
  Result<void> close() override {
    ++closes;
    if (failure) return failure();
    return {};
  }

  std::function<Error()> failure;
  std::string summary_text;
  int flushes = 0;
  int closes = 0;

 private:
  bool writable_;
  block::MemoryDevice memory_{Bytes(kBlock * kBlocks)};
};

class Plugin : public ::testing::Test {
 protected:
  void SetUp() override { serve(true); }
  void TearDown() override {
    Server& own = server();
    own.device.reset();
    own.stack.reset();
    own.life.reset();
    own.closed = own.serving = false;
    own.unlink.clear();
    own.status = 0;
  }

  /// Puts the device where config_complete() puts the opened stack.
  void serve(bool writable) {
    device_ = std::make_shared<TestDevice>(writable);
    Server& own = server();
    own.life.emplace(service::Server::Options{.log_fd = log_.get(), .logs_errors = true});
    own.stack.emplace(dm::File());
    own.stack->push("test", device_);
    own.device = device_;
    if (writable) own.device = std::make_shared<block::ByteDevice>(device_);
    last_errno = 0;
    last_error.clear();
    added_extents.clear();
    extents_wanted = 100;
  }
  void fail_with(ErrorKind kind, int code = 0) {
    device_->failure = [kind, code] { return Error(kind, "block 3 is bad", code); };
  }
  std::string read(std::uint64_t offset, std::uint32_t count) {
    std::string text(count, '?');
    return plugin_->pread(nullptr, text.data(), count, offset, 0) == 0 ? text : "failed";
  }
  int write(std::uint64_t offset, const std::string& text) {
    return plugin_->pwrite(nullptr, text.data(), static_cast<std::uint32_t>(text.size()), offset,
                           0);
  }
  std::string logged() const {
    return std::string(as_text(read_file(dir_.path("log"), 1 << 16).value()));
  }

  nbdkit_plugin* const plugin_ = plugin_init();
  TempDir dir_ = TempDir::create().value();
  UniqueFd log_ = open_file(dir_.path("log"), O_RDWR | O_CREAT | O_APPEND, 0600).value();
  std::shared_ptr<TestDevice> device_;
};

TEST_F(Plugin, TellsSizesAndWhatIsPossible) {
  EXPECT_EQ(plugin_->get_size(nullptr), kBlock * kBlocks);
  std::uint32_t minimum = 0, preferred = 0, maximum = 0;
  EXPECT_EQ(plugin_->block_size(nullptr, &minimum, &preferred, &maximum), 0);
  EXPECT_EQ(minimum, 1u);
  EXPECT_EQ(preferred, 4096u);
  EXPECT_EQ(maximum, 0xffffffffu);
  const auto all = [&] {
    return std::vector{plugin_->can_write(nullptr), plugin_->can_flush(nullptr),
                       plugin_->can_trim(nullptr), plugin_->can_zero(nullptr)};
  };
  EXPECT_THAT(all(), ElementsAre(1, 1, 1, 1));
  EXPECT_EQ(plugin_->can_multi_conn(nullptr), 1);
  EXPECT_EQ(plugin_->can_extents(nullptr), 1);
  EXPECT_EQ(plugin_->is_rotational(nullptr), 0);
  serve(false);
  EXPECT_THAT(all(), ElementsAre(0, 0, 0, 0));
}

TEST_F(Plugin, ReadsAndWritesPartsOfBlocks) {
  ASSERT_EQ(write(500, std::string(600, 'a')), 0);
  ASSERT_EQ(write(510, "bcd"), 0);
  EXPECT_EQ(read(499, 1), std::string(1, '\0'));
  EXPECT_EQ(read(508, 6), "aabcda");
  EXPECT_EQ(read(1099, 2), std::string("a\0", 2));
  ASSERT_EQ(plugin_->zero(nullptr, 2, 509, 0), 0);
  EXPECT_EQ(read(508, 4), std::string("a\0\0c", 4));
  ASSERT_EQ(plugin_->flush(nullptr, 0), 0);
  EXPECT_EQ(device_->flushes, 1);
}

TEST_F(Plugin, ReachesTheLastByteAndNoFurther) {
  const std::uint64_t end = kBlock * kBlocks;
  EXPECT_EQ(write(end - 1, "x"), 0);
  EXPECT_EQ(read(end - 1, 1), "x");
  EXPECT_EQ(read(end - 1, 2), "failed");
  EXPECT_EQ(last_errno, EIO);
  EXPECT_EQ(write(end, "x"), -1);
}

TEST_F(Plugin, AnswersWithTheErrnoOfTheFailure) {
  const std::pair<int, int> answers[] = {{0, EIO},         {EIO, EIO},       {ENOSPC, ENOSPC},
                                         {EDQUOT, EDQUOT}, {ENOMEM, ENOMEM}, {EMFILE, ENFILE},
                                         {EACCES, EIO}};
  for (const auto& [code, answer] : answers) {
    fail_with(ErrorKind::io, code);
    last_errno = 0;
    EXPECT_EQ(read(0, 1), "failed");
    EXPECT_EQ(last_errno, answer) << code;
    last_errno = 0;
    EXPECT_EQ(write(0, std::string(kBlock, 'x')), -1);
    EXPECT_EQ(last_errno, answer) << code;
    EXPECT_EQ(plugin_->flush(nullptr, 0), -1);
    EXPECT_EQ(plugin_->zero(nullptr, kBlock, 0, 0), -1);
    EXPECT_EQ(plugin_->extents(nullptr, kBlock, 0, 0, nullptr), -1);
  }
  EXPECT_THAT(logged(), HasSubstr(" block 3 is bad\n"));
}

TEST_F(Plugin, DoesNotLogDamageThatTheDeviceHasLogged) {
  fail_with(ErrorKind::tampered);
  EXPECT_EQ(read(0, 1), "failed");
  EXPECT_EQ(last_errno, EIO);
  EXPECT_THAT(logged(), IsEmpty());
}

TEST_F(Plugin, TakesATrimForAdvice) {
  ASSERT_EQ(write(0, "abc"), 0);
  EXPECT_EQ(plugin_->trim(nullptr, kBlock, 0, 0), 0);
  fail_with(ErrorKind::unsupported);
  EXPECT_EQ(plugin_->trim(nullptr, kBlock, 0, 0), 0);
  EXPECT_THAT(logged(), IsEmpty());
  fail_with(ErrorKind::io);
  EXPECT_EQ(plugin_->trim(nullptr, kBlock, 0, 0), -1);
}

TEST_F(Plugin, TellsDataZerosAndHoles) {
  EXPECT_EQ(plugin_->extents(nullptr, 4 * kBlock, 0, 0, nullptr), 0);
  EXPECT_THAT(added_extents,
              ElementsAre("0+512:0", fmt::format("512+1024:{}", NBDKIT_EXTENT_ZERO),
                          fmt::format("1536+512:{}", NBDKIT_EXTENT_ZERO | NBDKIT_EXTENT_HOLE)));
  added_extents.clear();
  EXPECT_EQ(plugin_->extents(nullptr, 4 * kBlock, 0, NBDKIT_FLAG_REQ_ONE, nullptr), 0);
  EXPECT_THAT(added_extents, ElementsAre("0+512:0"));
  added_extents.clear();
  extents_wanted = 1;
  EXPECT_EQ(plugin_->extents(nullptr, 4 * kBlock, 0, 0, nullptr), -1);
}

/// nbdkit's last calls, in a process of its own because they end it.
[[noreturn]] void end_as_nbdkit_does() {
  server().serving = true;
  cleanup();
  cleanup();  // nbdkit and the thread that waits for signals may both call it
  unload();
  ::_exit(99);
}

using PluginEnd = Plugin;

TEST_F(PluginEnd, ClosesOnceAndExitsWithSuccess) {
  const std::string socket = dir_.path("socket");
  ASSERT_TRUE(open_file(socket, O_WRONLY | O_CREAT, 0600));
  server().unlink = socket;
  device_->summary_text = "2 blocks corrected";
  EXPECT_EXIT(
      {
        cleanup();
        ::dprintf(STDERR_FILENO, "closes: %d, ", device_->closes);
        last_errno = 0;
        const int written = write(0, "x");
        ::dprintf(STDERR_FILENO, "write: %d, %d", written, last_errno == ESHUTDOWN);
        end_as_nbdkit_does();
      },
      ExitedWithCode(0), "closes: 1, write: -1, 1");
  EXPECT_NE(::access(socket.c_str(), F_OK), 0);
  EXPECT_THAT(logged(), HasSubstr(" 2 blocks corrected\n"));
}

TEST_F(PluginEnd, TurnsAnErrorOfClosingIntoTheExitStatus) {
  fail_with(ErrorKind::io, ENOSPC);
  EXPECT_EXIT(end_as_nbdkit_does(), ExitedWithCode(1), "");
  EXPECT_THAT(logged(), HasSubstr(" block 3 is bad\n"));
  fail_with(ErrorKind::tampered);
  EXPECT_EXIT(end_as_nbdkit_does(), ExitedWithCode(3), "");
}

TEST_F(PluginEnd, TellsThatDamageStoppedIt) {
  EXPECT_EXIT(
      {
        server().life->stop();
        end_as_nbdkit_does();
      },
      ExitedWithCode(3), "");
}

TEST_F(PluginEnd, EndsUponASignalAndCloses) {
  EXPECT_EXIT(
      {
        ::alarm(60);
        if (plugin_->after_fork() != 0) ::_exit(98);
        ::kill(::getpid(), SIGTERM);
        for (;;) ::pause();
      },
      ExitedWithCode(0), "");
}

using PluginBeginning = Plugin;

TEST_F(PluginBeginning, RefusesToBeUsedWithoutIntact) {
  for (const auto& [key, value] : {std::pair{"file", "/etc/passwd"},
                                   {"stack-fd", "abc"},
                                   {"stack-fd", "1"},
                                   {"log-fd", "999"},
                                   {"ready-fd", "5x"}}) {
    last_error.clear();
    EXPECT_EQ(plugin_->config(key, value), -1) << key;
    EXPECT_EQ(last_error, "this plugin is only for `intact ... open --nbd`");
  }
  EXPECT_EQ(plugin_->config_complete(), -1);
  EXPECT_EQ(last_error, "stack description: missing");
}

TEST_F(PluginBeginning, RefusesADescriptionThatIsNone) {
  const int fd = ::memfd_create("description", 0);
  ASSERT_TRUE(write_all(fd, as_bytes("garbage")));
  EXPECT_EQ(plugin_->config("stack-fd", std::to_string(fd).c_str()), 0);
  EXPECT_EQ(plugin_->config_complete(), -1);
  EXPECT_NE(last_error, "");
}

TEST_F(PluginBeginning, OpensWhatIsPassedOnAndTellsWhenItIsReady) {
  const std::string path = dir_.path("disk");
  ASSERT_TRUE(write_file_durably(path, as_bytes(std::string(8192, 'd')), 0600));
  stack::Plan plan{.name = "disk",
                   .file = block::FileDevice::open(path, block::Access::read_only).value()};
  const auto passed_on = stack::hand_over(plan);
  ASSERT_TRUE(passed_on);
  const int description = ::memfd_create("description", 0);
  ASSERT_TRUE(write_all(description, as_bytes(passed_on->description)));
  int ready[2], output[2];
  ASSERT_EQ(::pipe2(ready, O_CLOEXEC), 0);
  ASSERT_EQ(::pipe2(output, O_CLOEXEC), 0);
  EXPECT_EQ(plugin_->config("stack-fd", std::to_string(description).c_str()), 0);
  EXPECT_EQ(plugin_->config("ready-fd", std::to_string(ready[1]).c_str()), 0);
  EXPECT_EQ(plugin_->config("output-fd", std::to_string(output[1]).c_str()), 0);
  EXPECT_EQ(plugin_->config("announce", "disk can be read"), 0);
  ASSERT_EQ(plugin_->config_complete(), 0) << last_error;
  EXPECT_EQ(plugin_->get_size(nullptr), 8192);
  EXPECT_EQ(plugin_->can_write(nullptr), 0);
  EXPECT_EQ(read(8190, 2), "dd");
  EXPECT_EQ(plugin_->after_fork(), 0);
  server().end.reset();
  EXPECT_EQ(as_text(read_fd(ready[0], 10).value()), std::string(1, service::kReady));
  EXPECT_EQ(as_text(read_fd(output[0], 100).value()), "disk can be read\n");
  ::close(ready[0]);
  ::close(output[0]);
}

}  // namespace
}  // namespace intact
