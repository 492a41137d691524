#include <functional>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <intact/base/file.h>

#include "test_plans.h"

namespace intact::stack {
namespace {

constexpr std::size_t kSize = 64 * 512;

Plan plain(const TempDir& dir, block::Access access) {
  EXPECT_TRUE(write_file_durably(dir.path("disk"), Bytes(kSize, std::byte{7}), 0600));
  return {.name = "disk", .file = block::FileDevice::open(dir.path("disk"), access).value()};
}

TEST(AFileAsItIs, IsWrittenWhereTheFileIsWritable) {
  const TempDir dir = TempDir::create().value();
  Plan plan = plain(dir, block::Access::read_write);
  Stack stack = open(plan, {}).value();
  ASSERT_TRUE(stack.top()->writable());
  EXPECT_TRUE(stack.top()->write(512, Bytes(512, std::byte{9})));
  EXPECT_TRUE(stack.close());
  EXPECT_EQ(stack.summary(), "");
  Bytes expected(kSize, std::byte{7});
  std::fill_n(expected.begin() + 512, 512, std::byte{9});
  EXPECT_EQ(read_file(dir.path("disk"), kSize).value(), expected);
}

TEST(AFileAsItIs, AnotherProcessMayWriteIfWeMay) {
  for (const block::Access access : {block::Access::read_only, block::Access::read_write}) {
    const TempDir dir = TempDir::create().value();
    Plan given = plain(dir, access);
    Plan taken = testing::passed_on(given);
    EXPECT_EQ(taken.name, "disk");
    Stack stack = open(taken, {}).value();
    const bool writes = access == block::Access::read_write;
    EXPECT_EQ(stack.top()->writable(), writes);
    EXPECT_EQ(stack.top()->write(0, Bytes(512)).has_value(), writes);
    EXPECT_TRUE(stack.close());
  }
}

/// A device whose disk is gone, and what it tells.
class Gone final : public block::ReadOnlyDevice {
 public:
  struct Tells {
    std::string summary = {};
    std::vector<block::Counter> counters = {};
    std::function<Result<void>()> close = {};
  };
  Gone() = default;
  explicit Gone(Tells tells) : tells_(std::move(tells)) {}

  std::uint64_t size() const override { return 0; }
  block::Limits limits() const override { return {}; }
  Result<void> read(std::uint64_t, MutableByteSpan) const override { return {}; }
  std::string summary() const override { return tells_.summary; }
  std::vector<block::Counter> counters() const override { return tells_.counters; }
  Result<void> close() override { return tells_.close ? tells_.close() : Result<void>(); }

 private:
  Tells tells_;
};

TEST(Stack, IsClosedFromTheTopDownWhateverFails) {
  for (const bool fails : {false, true}) {
    std::vector<int> closed;
    Stack stack((dm::File()));
    for (const int number : {1, 2, 3})
      stack.push(
          "gone",
          std::make_shared<Gone>(Gone::Tells{.close = [&closed, number, fails]() -> Result<void> {
            closed.push_back(number);
            if (fails) return Error(ErrorKind::io, fmt::format("no space for {}", number));
            return {};
          }}));
    const auto done = stack.close();
    EXPECT_EQ(closed, (std::vector<int>{3, 2, 1}));
    EXPECT_EQ(done.has_value(), !fails);
    EXPECT_EQ(done ? "" : done.error().message(), fails ? "no space for 3" : "");
  }
}

TEST(Stack, TellsOfItsDevicesByTarget) {
  Stack stack((dm::File()));
  EXPECT_FALSE(stack.has_status());
  stack.push("lower", std::make_shared<Gone>(Gone::Tells{.summary = "2 bad",
                                                         .counters = {{"bad", std::uint64_t{2}}}}));
  EXPECT_EQ(stack.summary(), "2 bad");
  stack.push("middle", std::make_shared<Gone>());
  stack.push("upper", std::make_shared<Gone>(Gone::Tells{
                          .summary = "1 corrected",
                          .counters = {{"yes", true}, {"none", {}}, {"why", std::string("x")}}}));
  EXPECT_EQ(stack.summary(), "lower: 2 bad; upper: 1 corrected");
  ASSERT_TRUE(stack.has_status());
  const Json status = stack.status();
  EXPECT_EQ(status["pid"], ::getpid());
  EXPECT_EQ(to_text(status["layers"]), R"([{"format":"lower","bad":2},{"format":"middle"},)"
                                       R"({"format":"upper","yes":true,"none":null,"why":"x"}])");
}

TEST(Stack, HasATableOfSeveralLines) {
  const TempDir dir = TempDir::create().value();
  Plan plan = plain(dir, block::Access::read_write);
  const std::string file = plan.top().value();
  plan.tables.push_back(
      {.name = "both",
       .lines = dm::parse_lines("0 8 zero\n8 16 linear " + file + " 8\n24 8 zero").value()});
  Plan taken = testing::passed_on(plan);
  const Stack stack = open(taken, {}).value();
  EXPECT_EQ(stack.top()->size(), 32u * 512);
  EXPECT_TRUE(stack.top()->writable());
  Bytes expected(32 * 512);
  std::fill_n(expected.begin() + 8 * 512, 16 * 512, std::byte{7});
  Bytes out(32 * 512);
  ASSERT_TRUE(stack.top()->read(0, out));
  EXPECT_EQ(out, expected);
  std::vector<block::Extent> extents;
  ASSERT_TRUE(block::for_each_extent(*stack.top(), [&](const block::Extent& extent) {
    extents.push_back(extent);
    return true;
  }));
  using block::ExtentKind;
  EXPECT_EQ(extents, (std::vector<block::Extent>{{0, 8 * 512, ExtentKind::hole},
                                                 {8 * 512, 16 * 512, ExtentKind::data},
                                                 {24 * 512, 8 * 512, ExtentKind::hole}}));
}

TEST(Stack, SaysWhichLineIsWrong) {
  for (const auto& [lines, said] :
       {std::pair{"0 8 zero\n8 8 zeros",
                  "table line 2: 'zeros': unknown target; known are linear, "},
        {"0 8 zero\n8 8 linear fd:999 0", "table line 2: 'fd:999' does not name a device"},
        {"0 8 zero\n8 8 linear disk 0",
         "table line 2: 'disk' does not name a device; write an absolute path (/...), MAJOR:MINOR, "
         "fd:N or dm:NAME"},
        {"0 8 zero x", "x: zero: argument 1: 'x' is one too many"}}) {
    Plan plan{.name = "x", .file = {}};
    plan.tables.push_back({.name = "x", .lines = dm::parse_lines(lines).value()});
    const auto opened = open(plan, {});
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().message().substr(0, std::string_view(said).size()), said);
  }
}

}  // namespace
}  // namespace intact::stack
