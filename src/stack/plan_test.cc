#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/stack/plan.h>

#include "test_plans.h"

namespace intact::stack {
namespace {

using ::testing::HasSubstr;

class PlanFromLines : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(write_file_durably(disk(), Bytes(64 * 512, std::byte{7}), 0600));
  }
  std::string disk() const { return dir_.path("disk"); }

  TempDir dir_ = TempDir::create().value();
};

TEST_F(PlanFromLines, OpensFilesForWritingWhereTheDeviceIsWritable) {
  const std::string line = "0 8 linear " + disk() + " 8";
  for (const auto access : {block::Access::read_only, block::Access::read_write}) {
    Plan plan = plan_from_lines(line, access).value();
    const bool writes = access == block::Access::read_write;
    EXPECT_EQ(plan.read_only, !writes);
    ASSERT_TRUE(plan.known_by);
    EXPECT_EQ(plan.known_by->writable(), writes);
    EXPECT_EQ(can_be_written(plan).value(), writes);
    Stack stack = open(plan, {}).value();
    EXPECT_EQ(stack.top()->size(), 8u * 512);
    EXPECT_EQ(stack.top()->writable(), writes);
    EXPECT_TRUE(stack.close());
  }
}

TEST_F(PlanFromLines, IsNotWrittenForLackOfFilesThatForbidIt) {
  for (const auto access : {block::Access::read_only, block::Access::read_write}) {
    const bool writes = access == block::Access::read_write;
    for (const char* const line : {"0 8 zero", "0 8 error"}) {
      Plan plan = plan_from_lines(line, access).value();
      EXPECT_EQ(open(plan, {}).value().top()->writable(), writes) << line;
      // The other process knows only what is passed on.
      Plan taken = take_over(hand_over(plan).value().description).value();
      EXPECT_EQ(open(taken, {}).value().top()->writable(), writes) << line;
    }
  }
}

TEST_F(PlanFromLines, ALineThatOnlyReadsMakesAllOfItReadOnly) {
  const std::string root(64, '0');
  const Plan plan = plan_from_lines("0 8 verity 1 " + disk() + " " + disk() +
                                        " 4096 4096 1 1 sha256 " + root + " -",
                                    block::Access::read_write)
                        .value();
  EXPECT_TRUE(plan.read_only);
  EXPECT_FALSE(plan.known_by->writable());
  EXPECT_FALSE(can_be_written(plan).value());
}

TEST_F(PlanFromLines, SaysWhatIsWrong) {
  const auto message = [](const std::string& text) {
    return plan_from_lines(text, block::Access::read_only).error().message();
  };
  EXPECT_THAT(message(""), HasSubstr("line"));
  EXPECT_THAT(message("0 8 linaer /dev/null 0"), HasSubstr("unknown target"));
  EXPECT_THAT(message("0 8 linear /nowhere/at/all 0"), HasSubstr("No such file"));
}

TEST_F(PlanFromLines, TheKernelWritesToSomeDevicesWhateverIsInThem) {
  for (const bool writes : {false, true}) {
    Plan plan{.name = "disk",
              .file = block::FileDevice::open(disk(), block::Access::read_only).value()};
    plan.add({.sectors = 8, .target = writes ? "integrity" : "linear"});
    ASSERT_TRUE(prepare_for_kernel(plan));
    EXPECT_EQ(plan.file->writable(), writes);
  }
}

// The two ends are of one program: whatever one of them does not know, the other must not ignore.
TEST_F(PlanFromLines, OnlyWhatIsPassedOnIsTaken) {
  Plan plan = plan_from_lines("0 8 zero", block::Access::read_write).value();
  const std::string good = hand_over(plan).value().description;
  ASSERT_THAT(good, HasSubstr("- - 5\ntable\n"));
  EXPECT_TRUE(take_over(good));
  const auto with = [&good](const std::string& part, const std::string& other) {
    std::string text = good;
    return text.replace(text.find(part), part.size(), other);
  };
  for (const std::string& bad :
       {with("- - 5\n", "- - 5 x\n"), with("- - 5\n", "- -  5\n"), with("- - 5\n", "- - 05\n"),
        with("- - 5\n", "- - 6\n"), with("- - 5\n", "- - 4\n"), with(",rw,", ",rx,"),
        with(",rw,", ",rw,,"), with("zero", "zero x") + ";", good + ";", good + ";more,,,rw",
        "\n" + good, std::string("- - 5\ntable"), std::string("- - 5\ntable\n"), std::string()})
    EXPECT_FALSE(take_over(bad)) << bad;
}

}  // namespace
}  // namespace intact::stack
