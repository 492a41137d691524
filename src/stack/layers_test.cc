#include <algorithm>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/block/byte_device.h>
#include <intact/stack/discover.h>
#include <intact/verity/probe.h>

#include "test_plans.h"

namespace intact::stack {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

using testing::kBlock;
constexpr std::size_t kDataBlocks = 100;

/// Layers that are put on a file one by one, each formatted on the device below it.
class Layers : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(write_file_durably(dir_.path("disk"), Bytes(4 << 20), 0600));
    open_file(block::Access::read_write);
  }
  void open_file(block::Access access) {
    file_.reset();
    file_ = block::FileDevice::open(dir_.path("disk"), access).value();
  }
  /// The tables on the file, whose word in them is that of the first plan.
  Plan plan() const {
    Plan plan{.name = "disk", .file = file_};
    const std::string word = plan.top().value();
    plan.tables = tables_;
    for (dm::Table& table : plan.tables)
      for (std::string& argument : table.lines[0].arguments)
        if (argument.starts_with("fd:")) argument = word;
    return plan;
  }
  Stack opened(Writing writing = Writing::as_files_allow) {
    Plan plan = this->plan();
    return open(plan, {.log = [this](std::string_view line) { lines_.emplace_back(line); }},
                writing)
        .value();
  }

  /// dm-integrity over all there is, every block written.
  void add_integrity(integrity::Mode mode = integrity::Mode::journal) {
    integrity::Params params{.mode = mode, .block_size = kBlock};
    params.internal_hash = integrity::Algorithm{.name = "crc32c"};
    Plan plan = this->plan();
    Stack stack = open(plan, {}).value();
    const integrity::Devices devices{.data = bytes_of(stack)};
    params.tag_size = integrity::format(params, devices).value().tag_size;
    plan.add(integrity::make_line({.params = params,
                                   .data = plan.top().value(),
                                   .sectors = integrity::provided_sectors(params, devices).value()},
                                  plan.names)
                 .value());
    ASSERT_TRUE(stack.open(plan.tables.back(), plan.names, plan.name, {}));
    ASSERT_TRUE(stack.top()->write(0, Bytes(stack.top()->size())));
    ASSERT_TRUE(stack.close());
    tables_ = plan.tables;
  }

  /// dm-verity: blocks of data that are there or are numbered, then superblock and tree.
  void add_verity(bool numbered = true, std::uint64_t blocks = kDataBlocks) {
    const verity::Layout layout{.params = {.data_blocks = blocks}, .hash_offset = blocks * kBlock};
    Plan plan = this->plan();
    Stack stack = open(plan, {}).value();
    for (std::size_t i = 0; numbered && i < blocks; ++i)
      ASSERT_TRUE(stack.top()->write(i * kBlock, content(i)));
    const auto device = bytes_of(stack);
    const verity::Devices devices{.data = device, .hash = device};
    const Bytes root = verity::format(layout, devices, verity::Uuid{}).value();
    ASSERT_TRUE(stack.close());
    const std::string below = plan.top().value();
    plan.add(
        verity::make_line({.layout = layout, .root = root, .data = below, .hash = below}, devices)
            .value());
    tables_ = plan.tables;
  }

  /// What takes writes of any bytes, as a front end does.
  static std::shared_ptr<block::Device> bytes_of(const Stack& stack) {
    return std::make_shared<block::ByteDevice>(stack.top());
  }
  static Bytes content(std::size_t block) {
    return Bytes(kBlock, static_cast<std::byte>(block + 1));
  }
  static bool reads(const Stack& stack, std::size_t block) {
    Bytes out(kBlock);
    return stack.top()->read(block * kBlock, out) && out == content(block);
  }
  /// Writes to the device that the lowest `layers` layers make.
  void damage(std::size_t layers, std::uint64_t offset) {
    Plan lower = plan();
    lower.tables.resize(layers);
    Stack stack = open(lower, {}).value();
    ASSERT_TRUE(stack.top()->write(offset, Bytes(kBlock, std::byte{0xee})));
    ASSERT_TRUE(stack.close());
  }
  /// Where in the file block `block` lies of what is numbered.
  std::uint64_t place_of(std::size_t block) const {
    const Bytes file = read_file(dir_.path("disk"), 4 << 20).value();
    const Bytes wanted = content(block);
    const auto found = std::search(file.rbegin(), file.rend(), wanted.begin(), wanted.end());
    EXPECT_NE(found, file.rend()) << "another copy may be in the journal, which comes first";
    return static_cast<std::uint64_t>(file.rend() - found) - kBlock;
  }

  TempDir dir_ = TempDir::create().value();
  dm::File file_;
  std::vector<dm::Table> tables_;
  std::vector<std::string> lines_;
};

TEST_F(Layers, VerityInIntegrityIsReadThroughBoth) {
  add_integrity();
  add_verity();
  EXPECT_TRUE(is_read_only(plan()).value());
  Stack stack = opened();
  EXPECT_FALSE(stack.top()->writable());
  EXPECT_EQ(stack.top()->size(), kDataBlocks * kBlock);
  for (std::size_t i = 0; i < kDataBlocks; ++i) EXPECT_TRUE(reads(stack, i)) << i;
  EXPECT_EQ(stack.status()["layers"][1]["verified"], kDataBlocks);
  EXPECT_EQ(stack.known_by(), file_);
  EXPECT_TRUE(stack.close());
  EXPECT_THAT(lines_, IsEmpty());
}

TEST_F(Layers, DamageIsNamedByTheLayerThatFindsIt) {
  add_integrity();
  add_verity();
  const std::uint64_t raw = place_of(7);
  damage(0, raw);
  damage(1, 50 * kBlock);
  Stack stack = opened();
  EXPECT_TRUE(reads(stack, 6));
  EXPECT_TRUE(reads(stack, 8));
  EXPECT_THAT(lines_, IsEmpty());
  EXPECT_FALSE(reads(stack, 7));
  ASSERT_GE(lines_.size(), 1u);
  EXPECT_EQ(lines_[0], "DAMAGED disk: sectors 56 to 63 (bytes 28672 to 32767): fail their tags");
  lines_.clear();
  EXPECT_FALSE(reads(stack, 50));
  EXPECT_THAT(lines_,
              ElementsAre(HasSubstr(
                  "DAMAGED disk, layer 2 (verity): data block 50 (bytes 204800 to 208895)")));
  EXPECT_THAT(stack.summary(), AllOf(StartsWith("integrity: "), HasSubstr("; verity: ")));
  EXPECT_TRUE(stack.close());
}

TEST_F(Layers, WhereTheTopIsOnlyReadNothingBelowIsWritten) {
  add_integrity();
  add_verity();
  const Bytes before = read_file(dir_.path("disk"), 4 << 20).value();
  open_file(block::Access::read_only);
  Stack stack = opened();
  EXPECT_TRUE(reads(stack, 3));
  EXPECT_TRUE(stack.close());
  EXPECT_EQ(read_file(dir_.path("disk"), 4 << 20).value(), before);
}

TEST_F(Layers, AnotherProcessOpensAllOfThem) {
  add_integrity();
  add_verity();
  Plan given = plan();
  Plan taken = testing::passed_on(given);
  ASSERT_EQ(taken.tables.size(), 2u);
  EXPECT_EQ(taken.tables[0].lines[0].target, "integrity");
  Stack stack = open(taken, {}).value();
  for (std::size_t i = 0; i < kDataBlocks; ++i) EXPECT_TRUE(reads(stack, i)) << i;
  EXPECT_TRUE(stack.close());
}

/// What a crash left in the journal is read from there: nothing needs to be written, and nothing
/// can.
TEST_F(Layers, IntegrityInVerityIsReadWithItsJournal) {
  add_integrity();
  {
    Stack stack = opened();
    ASSERT_TRUE(stack.top()->write(5 * kBlock, content(5)));
    ASSERT_TRUE(stack.top()->flush());
    // Copied as a crash would leave it: committed, and perhaps not in its place.
    ASSERT_TRUE(write_file_durably(dir_.path("crashed"),
                                   read_file(dir_.path("disk"), 4 << 20).value(), 0600));
    ASSERT_TRUE(stack.close());
  }
  dm::Table integrity = tables_[0];
  tables_.clear();
  file_.reset();
  Bytes disk = read_file(dir_.path("crashed"), 4 << 20).value();
  const std::uint64_t blocks = disk.size() / kBlock;
  disk.resize(disk.size() + (1 << 20));
  ASSERT_TRUE(write_file_durably(dir_.path("disk"), disk, 0600));
  open_file(block::Access::read_write);
  add_verity(false, blocks);
  const Bytes before = read_file(dir_.path("disk"), 8 << 20).value();
  integrity.name = "2";
  integrity.lines[0].arguments[0] = "dm:1";
  tables_.push_back(std::move(integrity));
  Stack stack = opened();
  EXPECT_FALSE(stack.top()->writable());
  EXPECT_FALSE(stack.top()->write(0, Bytes(kBlock)));
  EXPECT_TRUE(reads(stack, 5));
  Bytes zeros(kBlock);
  EXPECT_TRUE(stack.top()->read(6 * kBlock, zeros));
  EXPECT_EQ(zeros, Bytes(kBlock));
  EXPECT_TRUE(stack.close());
  EXPECT_EQ(read_file(dir_.path("disk"), 8 << 20).value(), before);
}

TEST_F(Layers, IntegrityInIntegrityIsWrittenToo) {
  add_integrity();
  add_integrity();
  EXPECT_FALSE(is_read_only(plan()).value());
  {
    Stack stack = opened();
    ASSERT_TRUE(stack.top()->writable());
    ASSERT_TRUE(stack.top()->write(9 * kBlock, content(9)));
    ASSERT_TRUE(stack.close());
  }
  Stack stack = opened(Writing::never);
  EXPECT_FALSE(stack.top()->writable());
  EXPECT_TRUE(reads(stack, 9));
  EXPECT_TRUE(stack.close());
}

// As discover() opens them: for reading, and made writable later if they can be written.
TEST_F(Layers, OpenedForReadingClaimWhatTheyWillWrite) {
  for (const auto& [second, fails] : {std::pair{"4", true}, {"8", false}}) {
    open_file(block::Access::read_only);
    Plan plan{.name = "disk", .file = file_};
    const std::string word = plan.top().value();
    plan.add({.sectors = 8, .target = "linear", .arguments = {word, "0"}});
    plan.add({.sectors = 8, .target = "linear", .arguments = {word, second}});
    Stack stack(file_);
    for (const dm::Table& table : plan.tables)
      ASSERT_TRUE(stack.open(table, plan.names, plan.name, {}, Writing::never));
    // Nothing is written to a file that is open for reading only.
    EXPECT_TRUE(stack.check_claims());
    ASSERT_TRUE(file_->make_writable());
    const auto made = stack.make_writable();
    EXPECT_EQ(made.has_value(), !fails);
    EXPECT_EQ(stack.check_make_writable().has_value(), !fails);
    EXPECT_EQ(stack.check_claims().has_value(), !fails);
    if (made) continue;
    EXPECT_EQ(made.error().kind(), ErrorKind::busy);
    EXPECT_THAT(made.error().message(),
                HasSubstr("sectors 4 to 7 of its device are written by another line too"));
  }
}

TEST_F(Layers, AreProbedThroughThoseBelow) {
  add_integrity();
  add_verity();
  // Its data do not begin with a file system, which would say where they end.
  const auto said = std::make_shared<verity::Credentials>();
  said->superblock_at = kDataBlocks * kBlock;
  const auto contents = probe(file_, {said}).value();
  ASSERT_EQ(contents.size(), 2u);
  EXPECT_EQ(contents[0].format, "integrity");
  EXPECT_EQ(contents[0].facts["integrity"], "crc32c");
  EXPECT_EQ(contents[1].format, "verity");
  EXPECT_EQ(contents[1].offset, kDataBlocks * kBlock);
}

TEST_F(Layers, AreNoMoreThanThereMayBe) {
  for (std::size_t i = 0; i < kMaxTables; ++i) add_integrity(integrity::Mode::direct);
  Plan plan = this->plan();
  Stack stack = open(plan, {}).value();
  ASSERT_TRUE(stack.top()->write(0, content(0)));
  EXPECT_TRUE(reads(stack, 0));
  plan.add({.sectors = 8, .target = "zero"});
  EXPECT_EQ(stack.open(plan.tables.back(), plan.names, "disk", {}).error().kind(),
            ErrorKind::limit);
  EXPECT_EQ(open(plan, {}).error().kind(), ErrorKind::limit);
}

}  // namespace
}  // namespace intact::stack
