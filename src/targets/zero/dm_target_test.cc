#include <gtest/gtest.h>

#include <intact/zero/dm_target.h>

namespace intact::zero {
namespace {

TEST(Zero, ReadsAsZerosAndDropsWrites) {
  dm::Names names;
  const auto device = kDmTarget.open({.sectors = 8, .target = "zero"}, names, {}).value();
  EXPECT_EQ(device->size(), 8u * 512);
  EXPECT_TRUE(device->write(512, Bytes(512, std::byte{1})));
  Bytes out(1024, std::byte{1});
  ASSERT_TRUE(device->read(0, out));
  EXPECT_EQ(out, Bytes(1024));
  EXPECT_FALSE(device->read(8 * 512 - 1, out));
  EXPECT_FALSE(device->write(8 * 512, Bytes(512)));
  std::vector<block::Extent> extents;
  ASSERT_TRUE(device->extents(512, 1024, [&](const block::Extent& extent) {
    extents.push_back(extent);
    return true;
  }));
  EXPECT_EQ(extents, (std::vector<block::Extent>{{512, 1024, block::ExtentKind::hole}}));
  EXPECT_EQ(kDmTarget.open({.sectors = 8, .target = "zero", .arguments = {"x"}}, names, {})
                .error()
                .message(),
            "zero: argument 1: 'x' is one too many");
}

TEST(Zero, TakesNoWritesWhereItIsOpenedForReading) {
  dm::Names names;
  const dm::Line line{.sectors = 8, .target = "zero"};
  EXPECT_TRUE(kDmTarget.open(line, names, {}).value()->writable());
  const auto device = kDmTarget.open(line, names, {.read_only = true}).value();
  EXPECT_FALSE(device->writable());
  EXPECT_FALSE(device->write(512, Bytes(512)));
  EXPECT_FALSE(device->zero(512, 512));
  EXPECT_FALSE(device->discard(512, 512));
}

}  // namespace
}  // namespace intact::zero
