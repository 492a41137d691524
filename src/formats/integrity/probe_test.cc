#include <mutex>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/integrity/dm_target.h>
#include <intact/integrity/probe.h>

#include "test_device.h"

namespace intact::integrity {
namespace {

using ::testing::HasSubstr;

/// Notes what is read of a device, which can be made writable as a file can.
class CountingDevice final : public block::Device {
 public:
  explicit CountingDevice(std::shared_ptr<block::MemoryDevice> memory)
      : memory_(std::move(memory)) {}

  std::uint64_t size() const override { return memory_->size(); }
  block::Limits limits() const override { return {.writable = writable_}; }
  Result<void> make_writable() override {
    writable_ = true;
    return {};
  }
  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override {
    const std::lock_guard lock(mutex_);
    reads_.emplace_back(offset, out.size());
    return memory_->read(offset, out);
  }
  Result<void> write(std::uint64_t offset, ByteSpan bytes) override {
    EXPECT_TRUE(writable_);
    return memory_->write(offset, bytes);
  }
  Result<void> flush() override { return {}; }
  Result<void> discard(std::uint64_t, std::uint64_t) override { return {}; }
  Result<void> zero(std::uint64_t offset, std::uint64_t length) override {
    return write(offset, Bytes(length));
  }

  /// How many reads touched these bytes.
  std::size_t reads_of(std::uint64_t offset, std::uint64_t length) const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::ranges::count_if(reads_, [&](const auto& read) {
      return read.first < offset + length && offset < read.first + read.second;
    }));
  }
  void forget() { reads_.clear(); }

 private:
  std::shared_ptr<block::MemoryDevice> memory_;
  bool writable_ = false;
  mutable std::mutex mutex_;
  mutable std::vector<std::pair<std::uint64_t, std::size_t>> reads_;
};

/// A device that a crash left with entries in its journal, or bits in its bitmap.
struct Left {
  explicit Left(Mode mode, Algorithm hash = named("crc32c"))
      : device(params(mode, std::move(hash))) {
    content = device.fill();
    auto target = device.must_open();
    for (std::size_t i = 0; i < kNew.second; ++i) content[kNew.first + i] ^= std::byte{0x55};
    EXPECT_TRUE(target->write(kNew.first, ByteSpan(content).subspan(kNew.first, kNew.second)));
    EXPECT_TRUE(target->flush());
    device = device.copy();
  }
  static Params params(Mode mode, Algorithm hash) {
    Params params{.mode = mode,
                  .journal_sectors = 64,
                  .interleave_sectors = 256,
                  .fix_padding = true,
                  .sectors_per_bit = 64};
    params.internal_hash = std::move(hash);
    return params;
  }
  static constexpr std::pair<std::size_t, std::size_t> kNew{4096, 8192};

  TestDevice device;
  Bytes content;
};

/// What discovering a device and opening it does.
struct Probed {
  explicit Probed(const TestDevice& device, const Credentials& said = {})
      : counting(std::make_shared<CountingDevice>(device.data)) {
    dm::Candidate candidate(counting);
    const auto header = kProber.probe(candidate, &said).value();
    if (!header) return;
    names.add_device("below", counting);
    auto step = kProber.plan({.header = *header,
                              .below = counting,
                              .word = "dm:below",
                              .tables = 0,
                              .names = names,
                              .said = &said,
                              .name = "disk",
                              .place = "disk"});
    if (!step) {
      message = step.error().message();
      return;
    }
    line = step->tables.at(0).lines.at(0);
    auto target = kDmTarget.open(line, names, {.read_only = true, .header = header.get()});
    if (target)
      opened = *std::move(target);
    else
      message = target.error().message();
  }
  Bytes content() const {
    Bytes bytes(opened->size());
    const auto read = opened->read(0, bytes);
    EXPECT_TRUE(read) << read.error().message();
    return bytes;
  }
  std::size_t superblock_reads() const { return counting->reads_of(0, sizeof(RawSuperblock)); }
  /// Of the first section of the journal.
  std::size_t journal_reads() const { return counting->reads_of(kSuperblockSize, 512); }

  std::shared_ptr<CountingDevice> counting;
  dm::Names names;
  dm::Line line;
  std::shared_ptr<block::Device> opened;
  std::string message;
};

void say(Credentials& said, Algorithm hash) {
  said.detects_hash = false;
  said.internal_hash = std::move(hash);
}

TEST(Probe, WhatWasReadIsNotReadAgain) {
  const Left left(Mode::journal);
  const Probed plain(left.device, {});
  ASSERT_TRUE(plain.opened) << plain.message;
  EXPECT_EQ(plain.superblock_reads(), 1u);
  Credentials said;
  say(said, named("crc32c"));
  const Probed known(left.device, said);
  ASSERT_TRUE(known.opened) << known.message;
  EXPECT_EQ(known.superblock_reads(), 1u);
  // The beginning of the device is read to find the superblock, and holds some of the journal. Then
  // comes the only scan, and a look at what is replayed; who detects the hash looks at one section
  // before.
  EXPECT_LE(known.journal_reads(), 3u);
  EXPECT_LE(plain.journal_reads(), known.journal_reads() + 1);
}

TEST(Probe, ASuperblockThatChangesMeanwhileChangesNothing) {
  const Left left(Mode::journal);
  Credentials said;
  const auto counting = std::make_shared<CountingDevice>(left.device.data);
  dm::Candidate candidate(counting);
  const auto header = kProber.probe(candidate, nullptr).value();
  ASSERT_TRUE(header);
  ASSERT_TRUE(left.device.data->write(0, Bytes(sizeof(RawSuperblock), std::byte{0xff})));
  dm::Names names;
  names.add_device("below", counting);
  say(said, named("crc32c"));
  const auto step = kProber.plan({.header = *header,
                                  .below = counting,
                                  .word = "dm:below",
                                  .tables = 0,
                                  .names = names,
                                  .said = &said,
                                  .name = "disk",
                                  .place = "disk"});
  ASSERT_TRUE(step) << step.error().message();
  const auto opened =
      kDmTarget.open(step->tables[0].lines[0], names, {.read_only = true, .header = header.get()});
  ASSERT_TRUE(opened) << opened.error().message();
  EXPECT_FALSE(kDmTarget.open(step->tables[0].lines[0], names, {.read_only = true}));
}

TEST(Probe, IsMadeWritableWithWhatItHasRead) {
  for (const Mode mode : {Mode::journal, Mode::bitmap}) {
    const Left left(mode);
    const Probed probed(left.device);
    ASSERT_TRUE(probed.opened) << probed.message;
    EXPECT_FALSE(probed.opened->writable());
    if (mode == Mode::journal) {
      EXPECT_EQ(probed.content(), left.content);
    }
    ASSERT_FALSE(probed.opened->make_writable()) << "what is below is not writable";
    ASSERT_TRUE(probed.counting->make_writable());
    probed.counting->forget();
    ASSERT_TRUE(probed.opened->make_writable());
    EXPECT_TRUE(probed.opened->make_writable()) << "once more";
    EXPECT_EQ(probed.superblock_reads(), 0u);
    if (mode == Mode::journal) {
      EXPECT_EQ(probed.journal_reads(), 0u);
    }
    EXPECT_TRUE(probed.opened->writable());
    Bytes wanted = left.content;
    std::fill_n(wanted.begin(), 512, std::byte{3});
    ASSERT_TRUE(probed.opened->write(0, Bytes(512, std::byte{3})));
    EXPECT_EQ(probed.content(), wanted);
    ASSERT_TRUE(probed.opened->close());
    const auto again = left.device.must_open();
    EXPECT_EQ(read_all(*again), wanted);
    EXPECT_TRUE(again->close());
  }
}

/// With a key the regions that the bitmap marks are verified first.
TEST(Probe, StaysReadableIfItCannotBeWritten) {
  const Left left(Mode::bitmap, named("hmac(sha256)", 16));
  Credentials said;
  say(said, named("hmac(sha256)", 16));
  // In a region that is marked.
  const auto target = left.device.must_open({.read_only = true, .background = false});
  const std::uint64_t place = target->layout().data_sector(Left::kNew.first / 512) * 512;
  Bytes sector(512);
  ASSERT_TRUE(left.device.data->read(place, sector));
  sector[7] ^= std::byte{1};
  ASSERT_TRUE(left.device.data->write(place, sector));
  const Probed probed(left.device, said);
  ASSERT_TRUE(probed.opened) << probed.message;
  ASSERT_TRUE(probed.counting->make_writable());
  const auto refused = probed.opened->make_writable();
  ASSERT_FALSE(refused);
  // Who only asks is told the same, and nothing is written.
  const Bytes before = left.device.data->bytes();
  EXPECT_EQ(Probed(left.device, said).opened->check_make_writable().error().message(),
            refused.error().message());
  EXPECT_EQ(left.device.data->bytes(), before);
  EXPECT_TRUE(Probed(Left(Mode::journal).device).opened->check_make_writable());
  EXPECT_EQ(refused.error().kind(), ErrorKind::tampered);
  EXPECT_FALSE(probed.opened->writable());
  Bytes out(512);
  EXPECT_TRUE(probed.opened->read(0, out));
  EXPECT_FALSE(probed.opened->read(Left::kNew.first, out));
}

TEST(Probe, RecoveryIsNeverMadeWritable) {
  TestDevice device(Left::params(Mode::journal, named("crc32c")));
  device.fill();
  device.params.mode = Mode::recovery;
  device.params.tag_size = 4;
  const auto target = device.must_open({.read_only = true, .background = false});
  EXPECT_FALSE(target->make_writable());
}

TEST(Probe, NamesWhatIsMissing) {
  const Credentials said;
  EXPECT_EQ(said.missing("disk").error().message(), "disk: not a dm-integrity device");
  const TestDevice device(Left::params(Mode::journal, named("crc32c")));
  EXPECT_THAT(Probed(device, {}).message, HasSubstr("the sampled tags are blank"));
}

}  // namespace
}  // namespace intact::integrity
