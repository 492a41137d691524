#include <gtest/gtest.h>

#include <intact/block/memory_device.h>
#include <intact/linear/dm_target.h>

namespace intact::linear {
namespace {

Bytes numbered() {
  Bytes bytes(32 * 512);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i / 512);
  return bytes;
}

class Linear : public ::testing::Test {
 protected:
  Result<std::shared_ptr<block::Device>> open(const std::string& arguments) {
    dm::Names names;
    names.add_device("a", lower_);
    return kDmTarget.open(
        {.sectors = 16, .target = "linear", .arguments = dm::split_words(arguments)}, names, {});
  }
  std::shared_ptr<block::MemoryDevice> lower_ = std::make_shared<block::MemoryDevice>(numbered());
};

TEST_F(Linear, IsAPartOfADevice) {
  const auto device = open("dm:a 16").value();
  EXPECT_EQ(device->size(), 16u * 512);
  Bytes out(512);
  ASSERT_TRUE(device->read(512, out));
  EXPECT_EQ(out, Bytes(512, std::byte{17}));
  ASSERT_TRUE(device->write(0, Bytes(512, std::byte{99})));
  EXPECT_EQ(lower_->bytes()[16 * 512], std::byte{99});
  EXPECT_EQ(lower_->bytes()[15 * 512], std::byte{15});
  EXPECT_FALSE(device->read(16 * 512, out));
}

TEST_F(Linear, NamesTheArgumentThatIsWrong) {
  for (const auto& [arguments, said] :
       {std::pair{"", "linear: ends too early; argument 1 (device) is missing"},
        {"dm:a", "linear: ends too early; argument 2 (start sector) is missing"},
        {"dm:a 17", "linear: argument 2 (start sector): '17' is not within dm:a, which has 32 "},
        {"dm:a 36028797018963968", "linear: argument 2 (start sector): '36028797018963968' is not"},
        {"dm:a 0 x", "linear: argument 3: 'x' is one too many"}}) {
    const auto opened = open(arguments);
    ASSERT_FALSE(opened) << arguments;
    EXPECT_TRUE(opened.error().message().starts_with(said)) << opened.error().message();
  }
}

TEST_F(Linear, GivesTheKernelItsNames) {
  dm::Names names;
  const auto arguments =
      kDmTarget.kernel_arguments({.sectors = 16, .target = "linear", .arguments = {"dm:a", "16"}},
                                 names, *lower_, [](std::string_view word) {
                                   return Result<std::string>("7:" + std::string(word.substr(3)));
                                 });
  EXPECT_EQ(arguments.value().expose_text(), "7:a 16");
}

}  // namespace
}  // namespace intact::linear
