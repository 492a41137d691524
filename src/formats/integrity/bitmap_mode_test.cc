// What the bitmap marks, and when: as few flushes as can be for writes in order, and nothing but
// what is written to for others.
#include <algorithm>

#include <intact/block/testing/recording_device.h>
#include <intact/integrity/inspect.h>

#include "test_device.h"

namespace intact::integrity {
namespace {

constexpr std::size_t kRegion = 8192;  // bytes

Params params() {
  return {.mode = Mode::bitmap,
          .block_size = 512,
          .interleave_sectors = 256,
          .fix_padding = true,
          .sectors_per_bit = kRegion / 512,
          .internal_hash = named("crc32c")};
}

/// A device of some hundred regions, and what reaches it.
class Marked {
 public:
  Marked() {
    const TestDevice device(params(), 2 << 20);
    const auto data =
        std::make_shared<block::testing::RecordingDevice>(device.data->bytes(), log_, 0);
    target_ = std::move(
        IntegrityTarget::open(device.params, {.data = data}, TestDevice::quiet()).value());
    log_->operations.clear();
  }

  std::uint64_t regions() const { return target_->size() / kRegion; }
  /// Writes the first block of a region.
  void write(std::uint64_t region) { write(region * kRegion, Bytes(512)); }
  void write(std::uint64_t offset, const Bytes& bytes) {
    ASSERT_TRUE(target_->write(offset, bytes));
  }
  std::uint64_t dirty() const { return target_->status().dirty_regions; }
  std::ptrdiff_t flushes() const {
    return std::ranges::count_if(log_->operations,
                                 [](const auto& operation) { return operation.is_flush; });
  }

 private:
  std::shared_ptr<block::testing::OperationLog> log_ =
      std::make_shared<block::testing::OperationLog>();
  std::unique_ptr<IntegrityTarget> target_;
};

TEST(IntegrityBitmapMode, MarksAheadOfWritesInOrder) {
  Marked device;
  std::ptrdiff_t marks = 0;
  std::uint64_t marked = 0;
  for (std::uint64_t region = 0; region < device.regions(); ++region) {
    device.write(region);
    EXPECT_GE(device.dirty(), region + 1);
    EXPECT_LE(device.dirty(), std::min(2 * region, region + 16) + 1);
    if (device.dirty() != marked) ++marks;
    marked = device.dirty();
    EXPECT_EQ(device.flushes(), marks);  // none but for a mark
  }
  EXPECT_EQ(marked, device.regions());
  EXPECT_LE(marks, static_cast<std::ptrdiff_t>(6 + device.regions() / 16));
}

TEST(IntegrityBitmapMode, MarksOnlyWhatIsWrittenHereAndThere) {
  Marked device;
  std::uint64_t written = 0;
  for (std::uint64_t region = 1; region + 1 < device.regions(); region += 2) {
    device.write(region);
    EXPECT_EQ(device.dirty(), ++written);
  }
  for (std::uint64_t region = (device.regions() - 1) / 2 * 2; region > 0; region -= 2) {
    if (region + 1 == device.regions()) continue;
    device.write(region);
    EXPECT_EQ(device.dirty(), ++written) << "backwards, region " << region;
  }
}

TEST(IntegrityBitmapMode, BeginsAnewWhereWritesGoOnElsewhere) {
  Marked device;
  for (std::uint64_t region = 0; region < 11; ++region) device.write(region);
  EXPECT_EQ(device.dirty(), 11u);
  device.write(40);
  EXPECT_EQ(device.dirty(), 12u);
  device.write(41);
  EXPECT_EQ(device.dirty(), 14u);
}

TEST(IntegrityBitmapMode, MarksAheadOfWritesThatReachIntoTheNextRegion) {
  Marked device;
  const Bytes bytes(kRegion);
  for (std::uint64_t region = 0; region < 8; ++region)
    device.write(region * kRegion + kRegion / 2, bytes);
  EXPECT_EQ(device.dirty(), 12u);  // to 1, 3, 6 and 11
  EXPECT_EQ(device.flushes(), 4);
}

TEST(IntegrityBitmapMode, RecalculatesWhatWasMarkedAndNeverWritten) {
  const TestDevice device(params(), 2 << 20);
  const Bytes content = device.fill();
  const auto cut_off = device.must_open();
  for (std::uint64_t region = 0; region < 4; ++region)
    ASSERT_TRUE(cut_off->write(region * kRegion, ByteSpan(content).subspan(region * kRegion, 512)));
  const TestDevice left = device.copy();

  // Six regions are marked, of which four were written to.
  const auto report = scan(left.params, left.devices());
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(report->why_unprotected, ScanReport::Why::dirty_bitmap);
  EXPECT_EQ(report->unprotected, (std::vector<Unprotected>{{0, 6 * kRegion / 512}}));
  EXPECT_TRUE(report->damaged.empty());

  const auto target = left.must_open();
  EXPECT_EQ(read_all(*target), content);
  ASSERT_TRUE(target->recalculate());
  ASSERT_TRUE(target->close());
  const auto corrected = scan(left.params, left.devices());
  ASSERT_TRUE(corrected) << corrected.error().message();
  EXPECT_EQ(corrected->checked, corrected->sectors);
  EXPECT_TRUE(corrected->damaged.empty());
  EXPECT_EQ(read_all(*left.must_open()), content);
}

}  // namespace
}  // namespace intact::integrity
