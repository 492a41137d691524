#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/stack/handover.h>
#include <intact/stack/stack.h>

#include "descriptors.h"

namespace intact::stack {
namespace {

constexpr std::size_t kSize = 64 * 512;

Volume plain(const TempDir& dir, block::Access access) {
  EXPECT_TRUE(write_file_durably(dir.path("disk"), Bytes(kSize, std::byte{7}), 0600));
  return {.name = "disk",
          .layer = PlainVolume{.file = block::FileTarget::open(dir.path("disk"), access).value()}};
}

/// As exec would: only what the description names is left.
Volume passed_on(const Volume& volume) {
  Handover handover = hand_over(volume).value();
  for (UniqueFd& fd : handover.descriptors) fd.release();
  return take_over(handover.description).value();
}

TEST(PlainVolume, IsWrittenWhereTheFileIsWritable) {
  const TempDir dir = TempDir::create().value();
  const Volume volume = plain(dir, block::Access::read_write);
  Stack stack = open(volume, {}).value();
  ASSERT_TRUE(stack.top()->writable());
  EXPECT_TRUE(stack.top()->write(512, Bytes(512, std::byte{9})));
  EXPECT_TRUE(stack.close());
  EXPECT_EQ(stack.summary(), "");
  Bytes expected(kSize, std::byte{7});
  std::fill_n(expected.begin() + 512, 512, std::byte{9});
  EXPECT_EQ(read_file(dir.path("disk"), kSize).value(), expected);
}

TEST(PlainVolume, AnotherProcessMayWriteIfWeMay) {
  for (const block::Access access : {block::Access::read_only, block::Access::read_write}) {
    const TempDir dir = TempDir::create().value();
    const Volume taken = passed_on(plain(dir, access));
    EXPECT_EQ(taken.name, "disk");
    Stack stack = open(taken, {}).value();
    const bool writes = access == block::Access::read_write;
    EXPECT_EQ(stack.top()->writable(), writes);
    EXPECT_EQ(stack.top()->write(0, Bytes(512)).has_value(), writes);
    EXPECT_TRUE(stack.close());
  }
}

TEST(Stack, CloseTellsOfWhatCouldNotBeMadeDurable) {
  /// A device whose disk is gone.
  class Gone final : public block::ReadOnlyTarget {
   public:
    std::uint64_t size() const override { return 0; }
    std::uint32_t block_size() const override { return 512; }
    Result<void> read(std::uint64_t, MutableByteSpan) const override { return {}; }
  };
  bool closed = false;
  const auto close = [&closed](Result<void>& result) {
    return [&closed, &result]() -> Result<void> {
      closed = true;
      return std::move(result);
    };
  };
  Result<void> good;
  EXPECT_TRUE(Stack(std::make_shared<Gone>(), {.close = close(good)}).close());
  EXPECT_TRUE(closed);
  Result<void> bad = Error(ErrorKind::io, "no space for the journal");
  EXPECT_EQ(Stack(std::make_shared<Gone>(), {.close = close(bad)}).close().error().message(),
            "no space for the journal");
}

TEST(HandedOverSecrets, AreReadOnceAndStandInNoDescription) {
  OutgoingDescriptors out;
  const crypto::Secret secret = crypto::Secret::random(kMaxSecret);
  const int number = out.add(secret).value();
  std::vector<UniqueFd> descriptors = out.take();
  ASSERT_EQ(descriptors.size(), 1u);
  EXPECT_EQ(::fcntl(descriptors[0].get(), F_GETFD), 0) << "closed by exec";
  const UniqueFd second(::dup(descriptors[0].get()));
  descriptors[0].release();

  IncomingDescriptors in;
  const crypto::Secret taken = in.secret(number).value();
  EXPECT_TRUE(crypto::equal_secret(taken.expose(), secret.expose()));
  EXPECT_TRUE(crypto::Secret::read_from(second.get(), kMaxSecret).value().empty())
      << "the secret can be read again";
  EXPECT_FALSE(in.secret(number)) << "the descriptor is still open";
}

TEST(HandedOverSecrets, AreNotLargerThanAPipe) {
  OutgoingDescriptors out;
  EXPECT_EQ(out.add(crypto::Secret(kMaxSecret + 1)).error().kind(), ErrorKind::limit);
  EXPECT_TRUE(out.add(crypto::Secret(kMaxSecret)));
}

}  // namespace
}  // namespace intact::stack
