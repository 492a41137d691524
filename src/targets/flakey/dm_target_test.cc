#include <cerrno>

#include <gtest/gtest.h>

#include <intact/block/memory_device.h>
#include <intact/flakey/dm_target.h>

namespace intact::flakey {
namespace {

class Flakey : public ::testing::Test {
 protected:
  Result<std::shared_ptr<block::Device>> open(const std::string& arguments) {
    dm::Names names;
    names.add_device("a", lower_);
    return kDmTarget.open(
        {.sectors = 16, .target = "flakey", .arguments = dm::split_words(arguments)}, names, {});
  }
  static Bytes read(const block::Device& device) {
    Bytes out(512);
    EXPECT_TRUE(device.read(0, out));
    return out;
  }
  static int code(const Result<void>& result) { return result ? 0 : result.error().sys_errno(); }

  std::shared_ptr<block::MemoryDevice> lower_ =
      std::make_shared<block::MemoryDevice>(Bytes(16 * 512, std::byte{1}));
  Bytes out_ = Bytes(512);
};

TEST_F(Flakey, WorksWhileItIsUp) {
  const auto device = open("dm:a 0 1000 1").value();
  EXPECT_TRUE(device->write(0, Bytes(512, std::byte{2})));
  EXPECT_EQ(read(*device), Bytes(512, std::byte{2}));
  EXPECT_TRUE(device->flush());
}

TEST_F(Flakey, FailsEverythingWhileItIsDown) {
  const auto device = open("dm:a 0 0 1000").value();
  EXPECT_EQ(code(device->read(0, out_)), EIO);
  EXPECT_EQ(code(device->write(0, Bytes(512))), EIO);
  EXPECT_EQ(code(device->flush()), EIO);
  EXPECT_EQ(code(device->zero(0, 512)), EIO);
  EXPECT_EQ(lower_->bytes(), Bytes(16 * 512, std::byte{1}));
}

TEST_F(Flakey, FailsWhatTheFeaturesSay) {
  const auto reads = open("dm:a 0 0 1000 1 error_reads").value();
  EXPECT_EQ(code(reads->read(0, out_)), EIO);
  EXPECT_TRUE(reads->write(0, Bytes(512, std::byte{2})));
  const auto writes = open("dm:a 0 0 1000 1 error_writes").value();
  EXPECT_EQ(read(*writes), Bytes(512, std::byte{2}));
  EXPECT_EQ(code(writes->write(0, Bytes(512))), EIO);
  EXPECT_EQ(code(writes->discard(0, 512)), EIO);
  EXPECT_TRUE(writes->flush());
}

TEST_F(Flakey, DropsWritesWithoutAWord) {
  const auto device = open("dm:a 0 0 1000 1 drop_writes").value();
  EXPECT_TRUE(device->write(0, Bytes(512, std::byte{2})));
  EXPECT_TRUE(device->zero(0, 512));
  EXPECT_EQ(read(*device), Bytes(512, std::byte{1}));
}

TEST_F(Flakey, CorruptsTheByteThatIsSaid) {
  const auto reads = open("dm:a 0 0 1000 5 corrupt_bio_byte 3 r 238 0").value();
  Bytes expected(512, std::byte{1});
  expected[2] = std::byte{238};
  EXPECT_EQ(read(*reads), expected);
  const auto writes = open("dm:a 0 0 1000 5 corrupt_bio_byte 1 w 7 0").value();
  ASSERT_TRUE(writes->write(0, Bytes(512, std::byte{1})));
  EXPECT_EQ(lower_->bytes()[0], std::byte{7});
  EXPECT_EQ(lower_->bytes()[1], std::byte{1});
  const auto random = open("dm:a 0 0 1000 2 random_write_corrupt 1000000000").value();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(random->write(512, Bytes(512, std::byte{1})));
  EXPECT_EQ(std::get<std::uint64_t>(random->counters()[2].value), 20u);
}

TEST_F(Flakey, NamesTheArgumentThatIsWrong) {
  for (const auto& [arguments, said] :
       {std::pair{"dm:a 0 0", "flakey: ends too early; argument 4 (down interval) is missing"},
        {"dm:a 0 0 0", "flakey: argument 4 (down interval): '0' is not enough"},
        {"dm:a 0 0 1 1 error_read", "flakey: argument 6 (feature): 'error_read' is not a feature"},
        {"dm:a 0 0 1 5 corrupt_bio_byte 0 r 1 0",
         "flakey: argument 7 (byte of corrupt_bio_byte): "},
        {"dm:a 0 0 1 5 corrupt_bio_byte 1 x 1 0", "flakey: argument 8 (direction of "},
        {"dm:a 0 0 1 5 corrupt_bio_byte 1 r 256 0", "flakey: argument 9 (value of "},
        {"dm:a 0 0 1 2 drop_writes error_writes", "flakey: drop_writes and error_writes exclude"},
        {"dm:a 0 0 1 2 drop_writes", "flakey: argument 5 (number of options): '2' is not"}}) {
    const auto opened = open(arguments);
    ASSERT_FALSE(opened) << arguments;
    EXPECT_TRUE(opened.error().message().starts_with(said)) << opened.error().message();
  }
}

}  // namespace
}  // namespace intact::flakey
