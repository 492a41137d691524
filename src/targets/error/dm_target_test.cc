#include <cerrno>

#include <gtest/gtest.h>

#include <intact/error/dm_target.h>

namespace intact::error {
namespace {

TEST(Error, IsWhatEveryRequestGets) {
  dm::Names names;
  const auto device = kDmTarget.open({.sectors = 8, .target = "error"}, names, {}).value();
  EXPECT_EQ(device->size(), 8u * 512);
  Bytes out(512);
  for (const Result<void>& done : {device->read(0, out), device->write(0, out),
                                   device->discard(0, 512), device->zero(0, 512)}) {
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().sys_errno(), EIO);
  }
  EXPECT_TRUE(device->flush());
}

}  // namespace
}  // namespace intact::error
