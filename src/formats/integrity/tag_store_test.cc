// When tags reach their device: with the data in mode D, which has nothing to repair what a killed
// process leaves; with the next flush where the bitmap or the journal does.
#include <algorithm>

#include <intact/block/testing/recording_device.h>

#include "test_device.h"

namespace intact::integrity {
namespace {

Params params(Mode mode) {
  return {.mode = mode,
          .block_size = 512,
          .interleave_sectors = 256,
          .fix_padding = true,
          .internal_hash = named("crc32c")};
}

/// A device of whose writes those of tags can be told.
class Recorded {
 public:
  explicit Recorded(Mode mode, std::size_t tag_cache_size = 16 << 20) : params_(params(mode)) {
    const TestDevice device(params_, 2 << 20);
    data_ = std::make_shared<block::testing::RecordingDevice>(device.data->bytes(), log_, 0);
    auto options = TestDevice::quiet();
    options.tag_cache_size = tag_cache_size;
    target_ = std::move(IntegrityTarget::open(params_, {.data = data_}, options).value());
    log_->operations.clear();
  }

  IntegrityTarget& operator*() { return *target_; }
  IntegrityTarget* operator->() { return target_.get(); }
  std::uint64_t blocks() const { return target_->size() / 512; }
  void write(std::uint64_t block, const Bytes& bytes = Bytes(512, std::byte{7})) {
    ASSERT_TRUE(target_->write(block * 512, bytes));
  }
  /// Writes of the sector with the tag of a block.
  std::ptrdiff_t tag_writes(std::uint64_t block) const {
    const std::uint64_t byte = target_->layout().tag_byte(block);
    return std::ranges::count_if(log_->operations, [byte](const auto& operation) {
      return !operation.is_flush && operation.offset <= byte &&
             byte < operation.offset + operation.bytes.size();
    });
  }
  /// What is on the device now.
  TestDevice copy() const {
    TestDevice other(params_, 2 << 20);
    other.data = std::make_shared<block::MemoryDevice>(data_->bytes());
    return other;
  }

 private:
  Params params_;
  std::shared_ptr<block::testing::OperationLog> log_ =
      std::make_shared<block::testing::OperationLog>();
  std::shared_ptr<block::testing::RecordingDevice> data_;
  std::unique_ptr<IntegrityTarget> target_;
};

TEST(IntegrityTagStore, WritesTagsOnceForAllWritesUpToAFlush) {
  Recorded device(Mode::bitmap);
  for (std::uint64_t block = 0; block < 16; ++block) device.write(block);
  EXPECT_EQ(device.tag_writes(0), 0);
  ASSERT_TRUE(device->flush());
  EXPECT_EQ(device.tag_writes(0), 1);
  ASSERT_TRUE(device->flush());
  EXPECT_EQ(device.tag_writes(0), 1);  // nothing new
  device.write(3);
  ASSERT_TRUE(device->flush());
  EXPECT_EQ(device.tag_writes(0), 2);
}

TEST(IntegrityTagStore, WritesTagsWithTheDataInDirectMode) {
  Recorded device(Mode::direct);
  for (std::uint64_t block = 0; block < 16; ++block) device.write(block);
  EXPECT_EQ(device.tag_writes(0), 16);
  // The process is gone: what it wrote is whole.
  Bytes content(16 * 512);
  ASSERT_TRUE(device.copy().must_open()->read(0, content));
  EXPECT_EQ(content, Bytes(content.size(), std::byte{7}));
}

TEST(IntegrityTagStore, WritesTagsThatLeaveTheCache) {
  constexpr std::size_t kFourPages = 16384;
  Recorded device(Mode::bitmap, kFourPages);
  const Bytes content = random_content(device->size(), 5);
  // Each run of tags comes by eight times, with all others in between.
  for (std::uint64_t first = 0; first < 256; first += 32)
    for (std::uint64_t run = 0; run < device.blocks(); run += 256)
      for (std::uint64_t block = run + first; block < std::min(run + first + 32, device.blocks());
           ++block)
        device.write(block,
                     Bytes(content.begin() + static_cast<std::ptrdiff_t>(block * 512),
                           content.begin() + static_cast<std::ptrdiff_t>(block * 512 + 512)));
  EXPECT_GE(device.tag_writes(0), 1);
  EXPECT_EQ(read_all(*device), content);
  ASSERT_TRUE(device->close());
  EXPECT_EQ(read_all(*device.copy().must_open()), content);
}

}  // namespace
}  // namespace intact::integrity
