#include <fcntl.h>
#include <gtest/gtest.h>

#include <intact/base/file.h>
#include <intact/integrity/integrity_target.h>
#include <intact/stack/handover.h>
#include <intact/stack/stack.h>

namespace intact::stack {
namespace {

constexpr std::size_t kBlock = 4096;

/// A formatted device of two files, with keys for tags and journal.
class IntegrityOnFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(write_file_durably(path("data"), Bytes(1 << 20), 0600));
    ASSERT_TRUE(write_file_durably(path("tags"), Bytes(1 << 20), 0600));
    layer_.params.block_size = kBlock;
    layer_.params.internal_hash = keyed("hmac(sha256)", 32);
    layer_.params.journal_mac = keyed("hmac(sha256)", 24);
    layer_.params.journal_crypt = keyed("ctr(aes)", 16);
    layer_.params.fix_hmac = true;
    open_files(block::Access::read_write);
    const auto formatted = integrity::format(layer_.params, {.data = data_, .meta = layer_.meta});
    ASSERT_TRUE(formatted) << formatted.error().message();
    layer_.params.tag_size = formatted->tag_size;
    // Every block is written, so that there is a tag to check keys by.
    Stack stack = open(volume(), {}).value();
    ASSERT_TRUE(stack.top()->write(0, Bytes(stack.top()->size(), std::byte{5})));
    ASSERT_TRUE(stack.close());
  }

  static integrity::Algorithm keyed(const char* name, std::size_t size) {
    return {.name = name,
            .key = std::make_shared<const crypto::Secret>(
                crypto::Secret::copy_of(Bytes(size, std::byte{7})))};
  }
  void open_files(block::Access access) {
    data_.reset();
    layer_.meta.reset();
    data_ = block::FileTarget::open(path("data"), access).value();
    layer_.meta = block::FileTarget::open(path("tags"), access).value();
  }
  Volume volume() const { return {.name = "tags", .file = data_, .layers = {layer_}}; }
  std::string path(const char* name) const { return dir_.path(name); }
  static bool holds(const Stack& stack, std::uint64_t offset, std::byte value) {
    Bytes out(kBlock);
    return stack.top()->read(offset, out) && out == Bytes(kBlock, value);
  }

  TempDir dir_ = TempDir::create().value();
  File data_;
  IntegrityLayer layer_;
};

TEST_F(IntegrityOnFiles, IsWrittenThroughAnotherProcess) {
  Handover handover = hand_over(volume()).value();
  EXPECT_EQ(handover.description.find("0707"), std::string::npos) << "a key is written down";
  for (UniqueFd& fd : handover.descriptors) {
    EXPECT_EQ(::fcntl(fd.get(), F_GETFD), FD_CLOEXEC) << "any program would inherit it";
    fd.release();
  }
  const Volume taken = take_over(handover.description).value();
  EXPECT_EQ(taken.name, "tags");
  const auto& layer = std::get<IntegrityLayer>(taken.layers.at(0));
  EXPECT_EQ(layer.params.block_size, kBlock);
  EXPECT_EQ(layer.params.journal_mac->key->size(), 24u);
  {
    Stack stack = open(taken, {}).value();
    ASSERT_TRUE(stack.top()->writable());
    EXPECT_TRUE(stack.top()->write(kBlock, Bytes(kBlock, std::byte{9})));
    EXPECT_TRUE(stack.close());
    EXPECT_EQ(stack.summary(), "");
  }
  Stack again = open(volume(), {}).value();
  EXPECT_TRUE(holds(again, kBlock, std::byte{9}));
  EXPECT_TRUE(holds(again, 0, std::byte{5}));
  EXPECT_TRUE(again.close());
}

TEST_F(IntegrityOnFiles, IsOnlyReadWhereAFileIs) {
  open_files(block::Access::read_only);
  Stack stack = open(volume(), {}).value();
  EXPECT_FALSE(stack.top()->writable());
  EXPECT_FALSE(stack.top()->write(0, Bytes(kBlock)));
  EXPECT_TRUE(holds(stack, 0, std::byte{5}));
  EXPECT_TRUE(stack.close());
}

TEST_F(IntegrityOnFiles, TellsOfDamage) {
  ASSERT_TRUE(data_->write(3 * kBlock, Bytes(2 * kBlock, std::byte{1})));
  std::vector<std::string> lines;
  Stack stack =
      open(volume(), {.log = [&](std::string_view line) { lines.emplace_back(line); }}).value();
  EXPECT_FALSE(holds(stack, 3 * kBlock, std::byte{1}));
  EXPECT_TRUE(holds(stack, 5 * kBlock, std::byte{5}));
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0], "DAMAGED tags: sectors 24 to 31 (bytes 12288 to 16383): fail their tags");
  EXPECT_EQ(stack.summary(), "1 reads of damaged blocks");
  EXPECT_TRUE(stack.close());
}

TEST_F(IntegrityOnFiles, RefusesDescriptionsThatCannotBe) {
  Handover handover = hand_over(volume()).value();
  const auto with = [&](const std::string& what, const std::string& other) {
    std::string text = handover.description;
    const std::size_t at = text.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return text.replace(at, what.size(), other);
  };
  for (const std::string& text :
       {with("\"mode\":\"J\"", "\"mode\":\"X\""), with("\"start\":0", "\"start\":-1"),
        with("\"block_size\":4096", "\"block_size\":4294967296"), with("\"file\":", "\"fill\":")})
    EXPECT_EQ(take_over(text).error().kind(), ErrorKind::malformed) << text;
}

}  // namespace
}  // namespace intact::stack
