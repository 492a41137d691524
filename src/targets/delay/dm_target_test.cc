#include <chrono>

#include <gtest/gtest.h>

#include <intact/block/memory_device.h>
#include <intact/delay/dm_target.h>

namespace intact::delay {
namespace {

using std::chrono::milliseconds;

Result<std::shared_ptr<block::Device>> open(const std::string& arguments) {
  dm::Names names;
  names.add_device("a", std::make_shared<block::MemoryDevice>(Bytes(32 * 512, std::byte{1})));
  names.add_device("b", std::make_shared<block::MemoryDevice>(Bytes(32 * 512, std::byte{2})));
  return kDmTarget.open({.sectors = 16, .target = "delay", .arguments = dm::split_words(arguments)},
                        names, {});
}

template <typename Do>
milliseconds time_of(Do action) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(action());
  return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin);
}

TEST(Delay, EachKindOfRequestTakesItsTime) {
  const auto device = open("dm:a 4 30 dm:a 4 60 dm:a 4 90").value();
  EXPECT_EQ(device->size(), 16u * 512);
  Bytes out(512);
  EXPECT_GE(time_of([&] { return device->read(0, out); }), milliseconds(30));
  EXPECT_GE(time_of([&] { return device->write(0, Bytes(512, std::byte{9})); }), milliseconds(60));
  EXPECT_GE(time_of([&] { return device->flush(); }), milliseconds(90));
  ASSERT_TRUE(device->read(0, out));
  EXPECT_EQ(out, Bytes(512, std::byte{9}));
  EXPECT_EQ(device->dm_status(), "0 0 0");
}

TEST(Delay, WhatIsNotSaidIsThatOfTheKindBefore) {
  const auto one = open("dm:a 0 40").value();
  EXPECT_GE(time_of([&] { return one->write(0, Bytes(512)); }), milliseconds(40));
  EXPECT_GE(time_of([&] { return one->flush(); }), milliseconds(40));
  // Reads from one device, writes to the other.
  const auto two = open("dm:a 0 0 dm:b 0 40").value();
  ASSERT_TRUE(two->write(0, Bytes(512, std::byte{9})));
  EXPECT_GE(time_of([&] { return two->flush(); }), milliseconds(40));
  Bytes out(512);
  ASSERT_TRUE(two->read(0, out));
  EXPECT_EQ(out, Bytes(512, std::byte{1}));
}

TEST(Delay, NamesTheArgumentThatIsWrong) {
  EXPECT_TRUE(open("dm:a 16 0"));
  for (const auto& [arguments, said] :
       {std::pair{"", "delay: has 0 arguments; expected 3, 6 or 9: "},
        {"dm:a 0 1 dm:a", "delay: has 4 arguments; expected 3, 6 or 9: "},
        {"dm:x 0 1", "'dm:x' does not name the device of an earlier table"},
        {"dm:a 17 1", "delay: argument 2 (start sector): '17' is not within dm:a, which has 32 "},
        {"dm:a 0 x", "delay: argument 3 (delay): 'x' is not a number"},
        {"dm:a 0 1 dm:a 17 1", "delay: argument 5 (start sector): '17' is not within dm:a, "},
        {"dm:a 0 1 dm:a 0 1 dm:a 0 x", "delay: argument 9 (delay): 'x' is not a number"}}) {
    const auto opened = open(arguments);
    ASSERT_FALSE(opened) << arguments;
    EXPECT_TRUE(opened.error().message().starts_with(said)) << opened.error().message();
  }
}

}  // namespace
}  // namespace intact::delay
