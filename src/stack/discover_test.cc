#include <algorithm>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/block/memory_device.h>
#include <intact/integrity/integrity_target.h>
#include <intact/integrity/probe.h>
#include <intact/stack/discover.h>
#include <intact/verity/probe.h>
#include <intact/verity/volume.h>

#include "opened.h"
#include "test_plans.h"

namespace intact::stack {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::kBlock;
using ::testing::StartsWith;
using namespace std::string_view_literals;

constexpr std::size_t kBlocks = 20;
constexpr std::byte kFirst{0xcd};  // the content of the first block of a dm-integrity device

/// A file, and what a user says about it.
class Discover : public ::testing::Test {
 protected:
  std::string path() const { return dir_.path("disk"); }
  void fill(const Bytes& bytes) { ASSERT_TRUE(write_file_durably(path(), bytes, 0600)); }
  void fill(std::size_t size, std::size_t at, std::string_view magic) {
    Bytes bytes(size);
    std::ranges::copy(as_bytes(magic), bytes.begin() + static_cast<std::ptrdiff_t>(at));
    fill(bytes);
  }
  /// A volume of kBlocks blocks in one file, with the tree after the data.
  void fill_with_verity(const Bytes& data = Bytes(kBlocks * kBlock)) {
    const std::uint64_t blocks = data.size() / kBlock;
    const verity::Layout layout{.params = {.data_blocks = blocks}, .hash_offset = data.size()};
    Bytes bytes = data;
    bytes.resize(verity::needed_sizes(layout, 0, false).value().hash);
    const auto device = std::make_shared<block::MemoryDevice>(bytes);
    root_ = verity::format(layout, {.data = device, .hash = device}, verity::Uuid{}).value();
    fill(device->bytes());
  }
  /// dm-integrity, every block written.
  void fill_with_integrity(std::optional<integrity::Algorithm> hash = std::nullopt) {
    integrity::Params params{.block_size = kBlock};
    params.internal_hash = hash ? *hash : integrity::Algorithm{.name = "crc32c"};
    const auto device = std::make_shared<block::MemoryDevice>(Bytes(2 << 20));
    params.tag_size = integrity::format(params, {.data = device}).value().tag_size;
    auto target = integrity::IntegrityTarget::open(params, {.data = device}, {}).value();
    ASSERT_TRUE(target->write(0, Bytes(target->size())));
    ASSERT_TRUE(target->write(0, Bytes(kBlock, kFirst)));
    ASSERT_TRUE(target->close());
    fill(device->bytes());
  }
  std::shared_ptr<verity::Credentials> root() const {
    auto said = std::make_shared<verity::Credentials>();
    said->root = root_;
    return said;
  }
  static std::shared_ptr<integrity::Credentials> key(std::size_t size = 32) {
    auto said = std::make_shared<integrity::Credentials>();
    said->internal_hash = testing::keyed("", size);
    return said;
  }
  Result<Plan> found(const Credentials& said = {},
                     block::Access access = block::Access::read_only) {
    dm::File file = block::FileDevice::open(path(), block::Access::read_only).value();
    return discover("disk", std::move(file), said, access);
  }
  /// The devices that were opened to look into them.
  static Opened& opened(Plan& plan) { return *plan.opened; }
  /// Its targets, or the error.
  std::string targets(const Credentials& said = {},
                      block::Access access = block::Access::read_only) {
    const auto plan = found(said, access);
    if (!plan) return plan.error().message();
    std::string all;
    for (const dm::Table& table : plan->tables) all += table.lines[0].target + " ";
    return all;
  }

  TempDir dir_ = TempDir::create().value();
  Bytes root_;
};

TEST_F(Discover, AFileWithoutVolumeIsItself) {
  fill(Bytes(kBlock));
  EXPECT_EQ(targets(), "");
  EXPECT_FALSE(found().value().file->writable());
  EXPECT_TRUE(found({}, block::Access::read_write).value().file->writable());
  fill(8192, 1024, "\xe2\xe1\xf5\xe0");
  EXPECT_EQ(targets(), "");
  fill({});
  EXPECT_EQ(targets(), "");
}

TEST_F(Discover, WhatIsNoDiskImageIsRefused) {
  fill(kBlock, 0, "\x1f\x8b\x08");
  EXPECT_EQ(targets(),
            "disk: gzip is not a disk image; unpack it first, or pass --format raw to open the "
            "file as it is");
  fill(kBlock, 0, "LUKS\xba\xbe\0\2"sv);
  EXPECT_THAT(targets(), StartsWith("disk: LUKS2 is not supported; convert it to a raw image"));
}

TEST_F(Discover, VerityNeedsARootHash) {
  fill_with_verity();
  EXPECT_THAT(targets(),
              AllOf(HasSubstr("superblock at byte 81920"), HasSubstr("no root hash is given")));
  EXPECT_EQ(found().error().kind(), ErrorKind::invalid_argument);
  EXPECT_EQ(targets({root()}), "verity ");
  EXPECT_EQ(found({root()}).value().tables[0].uuid,
            "CRYPT-VERITY-00000000000000000000000000000000-");
  // Nothing is written to what is verified.
  EXPECT_FALSE(found({root()}, block::Access::read_write).value().file->writable());
  root_[0] ^= std::byte{1};
  EXPECT_EQ(found({root()}).error().kind(), ErrorKind::tampered);
}

TEST_F(Discover, WhatTheUserSaysCountsMoreThanTheSuperblock) {
  fill_with_verity();
  const auto said = root();
  said->data_blocks = kBlocks;
  EXPECT_EQ(targets({said}), "verity ");
  said->data_blocks = kBlocks - 1;
  EXPECT_EQ(targets({said}), "disk: the superblock says 20, not 19 as --data-blocks does");
  said->data_blocks.reset();
  said->superblock_at = 0;
  EXPECT_THAT(targets({said}), HasSubstr("no dm-verity superblock found"));
}

TEST_F(Discover, WhatWasSaidIsNeverIgnored) {
  fill(Bytes(64 * kBlock));
  EXPECT_THAT(targets({root()}), StartsWith("disk: no dm-verity superblock found"));
  EXPECT_EQ(targets({key()}), "disk: not a dm-integrity device");
  fill_with_verity();
  EXPECT_EQ(targets({root(), key()}), "disk: not a dm-integrity device");
  EXPECT_EQ(targets({key()}), "disk: not a dm-integrity device");
  fill_with_integrity();
  EXPECT_THAT(targets({root()}), StartsWith("disk: no dm-verity superblock found"));
  // Nor is what only says how: it would be without effect.
  fill(Bytes(64 * kBlock));
  const auto tolerant = std::make_shared<integrity::Credentials>();
  tolerant->legacy_recalculate = true;
  EXPECT_EQ(targets({tolerant}), "disk: not a dm-integrity device");
}

TEST_F(Discover, OneRootHashIsForOneVolume) {
  fill_with_verity();
  fill_with_verity(read_file(path(), 1 << 20).value());
  const auto plan = found({root()});
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().kind(), ErrorKind::unsupported);
  EXPECT_THAT(plan.error().message(),
              AllOf(StartsWith("disk (in dm-verity): dm-verity within dm-verity"),
                    HasSubstr("`intact verity open`")));
}

TEST_F(Discover, TheHashOfTagsIsDetected) {
  fill_with_integrity();
  EXPECT_EQ(targets(), "integrity ");
  EXPECT_TRUE(found({}, block::Access::read_write).value().file->writable());
  EXPECT_EQ(found({key()}).error().kind(), ErrorKind::bad_secret);
  fill_with_integrity(testing::keyed("hmac(sha256)", 32));
  EXPECT_THAT(targets(), HasSubstr("pass --integrity-key-file"));
  EXPECT_EQ(targets({key()}), "integrity ");
  EXPECT_EQ(found({key(31)}).error().kind(), ErrorKind::bad_secret);
}

TEST_F(Discover, DoubtsRefuseWritingOnly) {
  fill_with_integrity();
  Bytes bytes = read_file(path(), 2 << 20).value();
  const Bytes first(kBlock, kFirst);
  // Its own place: another copy may be in the journal, which comes first.
  const auto place = std::find_end(bytes.begin(), bytes.end(), first.begin(), first.end());
  ASSERT_NE(place, bytes.end());
  *place ^= std::byte{1};
  fill(bytes);
  EXPECT_EQ(targets(), "integrity ");
  EXPECT_THAT(targets({}, block::Access::read_write), HasSubstr("too few to allow writing"));
  // Who says what makes the tags may write.
  const auto said = std::make_shared<integrity::Credentials>();
  said->detects_hash = false;
  said->internal_hash = integrity::Algorithm{.name = "crc32c"};
  EXPECT_EQ(targets({said}, block::Access::read_write), "integrity ");
}

TEST_F(Discover, AHeaderWithoutADeviceIsAnError) {
  fill(kBlock, 0, "integrt\0"sv);
  EXPECT_EQ(found().error().kind(), ErrorKind::malformed);
  fill(512, 0, "integrt\0\1\3\4\0"sv);
  EXPECT_THAT(targets(), StartsWith("disk: "));
}

// A journal and what another line writes to the same file would destroy each other.
TEST_F(Discover, ClaimsWhatTheVolumeWillWrite) {
  fill_with_integrity();
  for (const bool overlaps : {true, false}) {
    Plan plan = found({}, block::Access::read_write).value();
    ASSERT_TRUE(plan.file->writable());
    const auto other = std::make_shared<block::MemoryDevice>(Bytes(1 << 20));
    plan.names.add_device("other", other);
    const dm::Table extra{
        .name = "extra",
        .lines = {{.sectors = 8,
                   .target = "linear",
                   .arguments = {overlaps ? plan.names.add(plan.file).value() : "dm:other", "0"}}}};
    ASSERT_TRUE(opened(plan).stack.open(extra, plan.names, "disk", {}, Writing::never));
    const auto checked = opened(plan).stack.check_make_writable();
    EXPECT_EQ(checked.has_value(), !overlaps);
    if (!checked) {
      EXPECT_EQ(checked.error().kind(), ErrorKind::busy);
    }
  }
}

TEST_F(Discover, OpensForTheKernelIfItIsTheKernelThatGoesOn) {
  fill_with_integrity();
  const auto discovered = [this](Writing writing) {
    return discover("disk", block::FileDevice::open(path(), block::Access::read_only).value(), {},
                    block::Access::read_only, writing)
        .value();
  };
  Plan plan = discovered(Writing::by_kernel);
  EXPECT_EQ(opened(plan).writing, Writing::by_kernel);
  const block::Device* const top = opened(plan).stack.top().get();
  // What was opened for it is what it is told of.
  EXPECT_EQ(open(plan, {}, Writing::by_kernel).value().top().get(), top);

  Plan other = discovered(Writing::never);
  EXPECT_EQ(opened(other).writing, Writing::never);
  const std::shared_ptr<block::Device> kept = opened(other).stack.top();
  EXPECT_NE(open(other, {}, Writing::by_kernel).value().top(), kept);
}

}  // namespace
}  // namespace intact::stack
