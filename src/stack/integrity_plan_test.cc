#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <intact/base/file.h>

#include "test_plans.h"

namespace intact::stack {
namespace {

using testing::kBlock;
using testing::keyed;
using testing::passed_on;

/// A formatted device of two files, with keys for tags and journal.
class IntegrityOnFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(write_file_durably(path("data"), Bytes(1 << 20), 0600));
    ASSERT_TRUE(write_file_durably(path("tags"), Bytes(1 << 20), 0600));
    params_.block_size = kBlock;
    params_.internal_hash = keyed("hmac(sha256)", 32);
    params_.journal_mac = keyed("hmac(sha256)", 24);
    params_.journal_crypt = keyed("ctr(aes)", 16);
    params_.fix_hmac = true;
    open_files(block::Access::read_write);
    const auto formatted = integrity::format(params_, {.data = data_, .meta = meta_});
    ASSERT_TRUE(formatted) << formatted.error().message();
    params_.tag_size = formatted->tag_size;
    // Every block is written, so that there is a tag to check keys by.
    Plan plan = this->plan();
    Stack stack = open(plan, {}).value();
    ASSERT_TRUE(stack.top()->write(0, Bytes(stack.top()->size(), std::byte{5})));
    ASSERT_TRUE(stack.close());
  }

  void open_files(block::Access access) {
    data_.reset();
    meta_.reset();
    data_ = block::FileDevice::open(path("data"), access).value();
    meta_ = block::FileDevice::open(path("tags"), access).value();
  }
  Plan plan() const {
    Plan plan{.name = "tags", .file = data_, .known_by = meta_};
    const integrity::Devices devices{.data = data_, .meta = meta_};
    plan.add(
        integrity::make_line({.params = params_,
                              .data = plan.top().value(),
                              .meta = plan.names.add(meta_).value(),
                              .sectors = integrity::provided_sectors(params_, devices).value()},
                             plan.names)
            .value());
    return plan;
  }
  std::string path(const char* name) const { return dir_.path(name); }
  static bool holds(const Stack& stack, std::uint64_t offset, std::byte value) {
    Bytes out(kBlock);
    return stack.top()->read(offset, out) && out == Bytes(kBlock, value);
  }

  TempDir dir_ = TempDir::create().value();
  dm::File data_;
  dm::File meta_;
  integrity::Params params_;
};

TEST_F(IntegrityOnFiles, IsWrittenThroughAnotherProcess) {
  Plan given = plan();
  EXPECT_EQ(dm::to_concise(given.tables).find("0707"), std::string::npos)
      << "a key is written down";
  Plan taken = passed_on(given);
  EXPECT_EQ(taken.name, "tags");
  {
    Stack stack = open(taken, {}).value();
    ASSERT_TRUE(stack.top()->writable());
    EXPECT_TRUE(stack.top()->write(kBlock, Bytes(kBlock, std::byte{9})));
    EXPECT_TRUE(stack.close());
    EXPECT_EQ(stack.summary(), "");
    EXPECT_EQ(stack.known_by(), taken.known_by);
    EXPECT_NE(stack.known_by(), taken.file);
  }
  Plan same = plan();
  Stack again = open(same, {}).value();
  EXPECT_TRUE(holds(again, kBlock, std::byte{9}));
  EXPECT_TRUE(holds(again, 0, std::byte{5}));
  EXPECT_TRUE(again.close());
}

TEST_F(IntegrityOnFiles, IsOnlyReadWhereAFileIs) {
  open_files(block::Access::read_only);
  Plan plan = this->plan();
  Stack stack = open(plan, {}).value();
  EXPECT_FALSE(stack.top()->writable());
  EXPECT_FALSE(stack.top()->write(0, Bytes(kBlock)));
  EXPECT_TRUE(holds(stack, 0, std::byte{5}));
  EXPECT_TRUE(stack.close());
}

TEST_F(IntegrityOnFiles, TellsOfDamage) {
  ASSERT_TRUE(data_->write(3 * kBlock, Bytes(2 * kBlock, std::byte{1})));
  std::vector<std::string> lines;
  Plan plan = this->plan();
  Stack stack =
      open(plan, {.log = [&](std::string_view line) { lines.emplace_back(line); }}).value();
  EXPECT_FALSE(holds(stack, 3 * kBlock, std::byte{1}));
  EXPECT_TRUE(holds(stack, 5 * kBlock, std::byte{5}));
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0], "DAMAGED tags: sectors 24 to 31 (bytes 12288 to 16383): fail their tags");
  EXPECT_EQ(stack.summary(), "1 reads of damaged blocks");
  EXPECT_TRUE(stack.close());
}

}  // namespace
}  // namespace intact::stack
