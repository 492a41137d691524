#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <intact/base/file.h>

#include "test_plans.h"

namespace intact::stack {
namespace {

using testing::kBlock;
using testing::passed_on;

constexpr std::size_t kBlocks = 300;

/// A formatted volume of two files, one of them used for hashes and parity.
class VerityOnFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    Bytes data(kBlocks * kBlock);
    for (std::size_t i = 0; i < data.size(); ++i)
      data[i] = static_cast<std::byte>(i / kBlock * 7 + i);
    ASSERT_TRUE(write_file_durably(path("data"), data, 0600));
    ASSERT_TRUE(write_file_durably(path("hash"), Bytes(kBlock * 64), 0600));
    content_ = std::move(data);
    layout_ = {.params = {.data_blocks = kBlocks, .salt = Bytes(4, std::byte{9})},
               .fec = verity::Layout::Fec{.roots = 4, .offset = kBlock * 32}};
    hash_ = block::FileDevice::open(path("hash"), block::Access::read_write).value();
    data_ = block::FileDevice::open(path("data"), block::Access::read_only).value();
    root_ = verity::format(layout_, devices(), verity::Uuid{}).value();
  }

  verity::Devices devices() const { return {.data = data_, .hash = hash_, .fec = hash_}; }
  Plan plan(std::vector<std::string> flags = {}) const {
    Plan plan{.name = "data", .file = data_};
    const std::string hash = plan.names.add(hash_).value();
    plan.add(verity::make_line({.layout = layout_,
                                .root = root_,
                                .data = plan.top().value(),
                                .hash = hash,
                                .fec = hash,
                                .flags = std::move(flags)},
                               devices())
                 .value());
    return plan;
  }
  Stack opened(std::vector<std::string> flags = {}) {
    Plan plan = this->plan(std::move(flags));
    return open(plan, events()).value();
  }
  std::string path(const char* name) const { return dir_.path(name); }
  void damage(std::uint64_t block, std::uint64_t blocks) {
    const UniqueFd fd = open_file(path("data"), O_WRONLY).value();
    ASSERT_TRUE(pwrite_all(fd.get(), block * kBlock, Bytes(blocks * kBlock, std::byte{0xee})));
  }
  dm::Events events() {
    return {.log = [this](std::string_view line) { lines_.emplace_back(line); },
            .stop = [this] { ++stops_; }};
  }
  /// Whether the block reads, and as what it was.
  static bool reads(const Stack& stack, const Bytes& content, std::uint64_t block) {
    Bytes out(kBlock);
    return stack.top()->read(block * kBlock, out) &&
           std::equal(out.begin(), out.end(), &content[block * kBlock]);
  }

  TempDir dir_ = TempDir::create().value();
  Bytes content_;
  dm::File data_;
  dm::File hash_;
  verity::Layout layout_;
  Bytes root_;
  std::vector<std::string> lines_;
  int stops_ = 0;
};

TEST_F(VerityOnFiles, TellsOfNothingWhereAllIsWell) {
  const Stack stack = opened();
  for (std::uint64_t block = 0; block < kBlocks; ++block)
    EXPECT_TRUE(reads(stack, content_, block)) << block;
  EXPECT_THAT(lines_, ::testing::IsEmpty());
  EXPECT_EQ(stack.summary(), "");
  EXPECT_EQ(stack.top()->dm_status(), "V");
}

TEST_F(VerityOnFiles, CountsWhatWasCorrected) {
  damage(17, 1);
  const Stack stack = opened();
  EXPECT_TRUE(reads(stack, content_, 17));
  EXPECT_THAT(lines_, ::testing::IsEmpty());
  EXPECT_THAT(stack.summary(), ::testing::EndsWith("1 read corrected"));
  EXPECT_EQ(stack.status()["layers"][0]["corrected"], 1);
}

TEST_F(VerityOnFiles, NamesDamageThatCannotBeCorrectedAndGoesOn) {
  damage(17, 40);
  const Stack stack = opened();
  EXPECT_FALSE(reads(stack, content_, 20));
  EXPECT_TRUE(reads(stack, content_, 200));
  EXPECT_THAT(lines_, ::testing::ElementsAre(::testing::StartsWith(
                          "DAMAGED data: data block 20 (bytes 81920 to 86015): ")));
  EXPECT_EQ(stops_, 0);
  EXPECT_EQ(stack.top()->dm_status(), "C");
}

TEST_F(VerityOnFiles, StopsForGoodWhereThatIsAskedFor) {
  damage(17, 40);
  const Stack stack = opened({"restart_on_corruption"});
  EXPECT_TRUE(reads(stack, content_, 200));
  EXPECT_FALSE(reads(stack, content_, 20));
  EXPECT_FALSE(reads(stack, content_, 200));
  EXPECT_EQ(stops_, 1);
}

TEST_F(VerityOnFiles, AnotherProcessOpensWhatWasPassedOn) {
  damage(17, 1);
  Plan given = plan({"ignore_corruption", "ignore_zero_blocks"});
  const std::vector<dm::Table> tables = given.tables;
  Plan taken = passed_on(given);
  EXPECT_EQ(taken.name, "data");
  EXPECT_EQ(taken.tables, tables);
  const Stack stack = open(taken, events()).value();
  for (std::uint64_t block = 0; block < kBlocks; ++block)
    EXPECT_TRUE(reads(stack, content_, block)) << block;
}

}  // namespace
}  // namespace intact::stack
