#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/stack/handover.h>
#include <intact/stack/stack.h>

namespace intact::stack {
namespace {

constexpr std::size_t kBlock = 4096;
constexpr std::size_t kBlocks = 300;

/// A formatted volume of three files, one of them used for hashes and parity.
class VerityOnFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    Bytes data(kBlocks * kBlock);
    for (std::size_t i = 0; i < data.size(); ++i)
      data[i] = static_cast<std::byte>(i / kBlock * 7 + i);
    ASSERT_TRUE(write_file_durably(path("data"), data, 0600));
    ASSERT_TRUE(write_file_durably(path("hash"), Bytes(kBlock * 64), 0600));
    content_ = std::move(data);
    layer_.layout = {.params = {.data_blocks = kBlocks, .salt = Bytes(4, std::byte{9})},
                     .fec = verity::Layout::Fec{.roots = 4, .offset = kBlock * 32}};
    const std::shared_ptr<block::FileTarget> hash =
        block::FileTarget::open(path("hash"), block::Access::read_write).value();
    data_ = block::FileTarget::open(path("data"), block::Access::read_only).value();
    layer_.hash = layer_.fec = hash;
    layer_.root = verity::format(layer_.layout, layer_.devices(data_), verity::Uuid{}).value();
  }

  Volume volume() const { return {.name = "data", .file = data_, .layers = {layer_}}; }
  std::string path(const char* name) const { return dir_.path(name); }
  void damage(std::uint64_t block, std::uint64_t blocks) {
    const UniqueFd fd = open_file(path("data"), O_WRONLY).value();
    ASSERT_TRUE(pwrite_all(fd.get(), block * kBlock, Bytes(blocks * kBlock, std::byte{0xee})));
  }
  Events events() {
    return {.log = [this](std::string_view line) { lines_.emplace_back(line); },
            .stop = [this] { ++stops_; }};
  }
  /// Whether the block reads, and as what it was.
  static bool reads(const Stack& stack, const Bytes& content, std::uint64_t block) {
    Bytes out(kBlock);
    return stack.top()->read(block * kBlock, out) &&
           std::equal(out.begin(), out.end(), &content[block * kBlock]);
  }

  TempDir dir_ = TempDir::create().value();
  Bytes content_;
  File data_;
  VerityLayer layer_;
  std::vector<std::string> lines_;
  int stops_ = 0;
};

TEST_F(VerityOnFiles, TellsOfNothingWhereAllIsWell) {
  const Stack stack = open(volume(), events()).value();
  for (std::uint64_t block = 0; block < kBlocks; ++block)
    EXPECT_TRUE(reads(stack, content_, block)) << block;
  EXPECT_THAT(lines_, ::testing::IsEmpty());
  EXPECT_EQ(stack.summary(), "");
}

TEST_F(VerityOnFiles, CountsWhatWasMended) {
  damage(17, 1);
  const Stack stack = open(volume(), events()).value();
  EXPECT_TRUE(reads(stack, content_, 17));
  EXPECT_THAT(lines_, ::testing::IsEmpty());
  EXPECT_THAT(stack.summary(), ::testing::EndsWith("1 reads corrected"));
}

TEST_F(VerityOnFiles, NamesDamageThatCannotBeMendedAndGoesOn) {
  damage(17, 40);
  const Stack stack = open(volume(), events()).value();
  EXPECT_FALSE(reads(stack, content_, 20));
  EXPECT_TRUE(reads(stack, content_, 200));
  EXPECT_THAT(lines_, ::testing::ElementsAre(::testing::StartsWith(
                          "DAMAGED data: data block 20 (bytes 81920 to 86015): ")));
  EXPECT_EQ(stops_, 0);
}

TEST_F(VerityOnFiles, StopsForGoodWhereThatIsAskedFor) {
  damage(17, 40);
  layer_.on_corruption = verity::OnCorruption::stop;
  const Stack stack = open(volume(), events()).value();
  EXPECT_TRUE(reads(stack, content_, 200));
  EXPECT_FALSE(reads(stack, content_, 20));
  EXPECT_FALSE(reads(stack, content_, 200));
  EXPECT_EQ(stops_, 1);
}

TEST_F(VerityOnFiles, AnotherProcessOpensWhatWasHandedOver) {
  damage(17, 1);
  layer_.ignore_zero_blocks = true;
  layer_.on_corruption = verity::OnCorruption::ignore;
  Handover handover = hand_over(volume()).value();
  EXPECT_EQ(handover.descriptors.size(), 2u) << "hash and parity are one file";
  for (UniqueFd& fd : handover.descriptors) {
    EXPECT_GE(fd.get(), kFirstDescriptor);
    EXPECT_EQ(::fcntl(fd.get(), F_GETFD), FD_CLOEXEC) << "any program would inherit it";
    fd.release();
  }
  const Volume whole = take_over(handover.description).value();
  EXPECT_EQ(whole.name, "data");
  const auto& taken = std::get<VerityLayer>(whole.layers.at(0));
  EXPECT_EQ(taken.layout.params, layer_.layout.params);
  EXPECT_EQ(taken.root, layer_.root);
  EXPECT_EQ(taken.hash, taken.fec) << "one file is one object";
  EXPECT_NE(taken.hash, whole.file);
  EXPECT_EQ(taken.on_corruption, layer_.on_corruption);
  EXPECT_TRUE(taken.ignore_zero_blocks);
  EXPECT_FALSE(taken.check_at_most_once);
  const Stack stack = open(whole, events()).value();
  for (std::uint64_t block = 0; block < kBlocks; ++block)
    EXPECT_TRUE(reads(stack, content_, block)) << block;
}

TEST_F(VerityOnFiles, RefusesDescriptionsThatCannotBe) {
  const Handover handover = hand_over(volume()).value();
  const auto with = [&](const std::string& what, const std::string& other) {
    std::string text = handover.description;
    const std::size_t at = text.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return text.replace(at, what.size(), other);
  };
  for (const std::string& text :
       {std::string("{}"), std::string("nonsense"), with("\"verity\"", "\"varity\""),
        with("\"root\":\"", "\"root\":\"x"), with("\"on_corruption\":0", "\"on_corruption\":9"),
        with("\"file\":", "\"file\":1000"),
        with("\"data_block_size\":4096", "\"data_block_size\":4095")})
    EXPECT_FALSE(take_over(text)) << text;
}

}  // namespace
}  // namespace intact::stack
