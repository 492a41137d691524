#include <fcntl.h>
#include <fmt/format.h>
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
  return {.name = "disk", .file = block::FileTarget::open(dir.path("disk"), access).value()};
}

/// As exec would: only what the description names is left.
Volume passed_on(const Volume& volume) {
  Handover handover = hand_over(volume).value();
  for (UniqueFd& fd : handover.descriptors) fd.release();
  return take_over(handover.description).value();
}

TEST(AFileAsItIs, IsWrittenWhereTheFileIsWritable) {
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

TEST(AFileAsItIs, AnotherProcessMayWriteIfWeMay) {
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

/// A device whose disk is gone.
class Gone final : public block::ReadOnlyTarget {
 public:
  std::uint64_t size() const override { return 0; }
  std::uint32_t block_size() const override { return 512; }
  Result<void> read(std::uint64_t, MutableByteSpan) const override { return {}; }
};

TEST(Stack, IsClosedFromTheTopDownWhateverFails) {
  for (const bool fails : {false, true}) {
    std::vector<int> closed;
    Stack stack((File()));
    for (const int number : {1, 2, 3})
      stack.push("gone", {.device = std::make_shared<Gone>(),
                          .close = [&closed, number, fails]() -> Result<void> {
                            closed.push_back(number);
                            if (fails)
                              return Error(ErrorKind::io, fmt::format("no space for {}", number));
                            return {};
                          }});
    const auto done = stack.close();
    EXPECT_EQ(closed, (std::vector<int>{3, 2, 1}));
    EXPECT_EQ(done.has_value(), !fails);
    EXPECT_EQ(done ? "" : done.error().message(), fails ? "no space for 3" : "");
  }
}

TEST(Stack, TellsOfItsLayersByName) {
  Stack stack((File()));
  EXPECT_FALSE(stack.has_status());
  stack.push("lower", {.device = std::make_shared<Gone>(),
                       .summary = [] { return std::string("2 bad"); },
                       .status = [] { return Json{{"bad", 2}}; }});
  EXPECT_EQ(stack.summary(), "2 bad");
  stack.push("middle", {.device = std::make_shared<Gone>()});
  stack.push("upper", {.device = std::make_shared<Gone>(),
                       .summary = [] { return std::string("1 corrected"); }});
  EXPECT_EQ(stack.summary(), "lower: 2 bad; upper: 1 corrected");
  ASSERT_TRUE(stack.has_status());
  const Json status = stack.status();
  EXPECT_EQ(status["pid"], ::getpid());
  EXPECT_EQ(to_text(status["layers"]),
            R"([{"format":"lower","bad":2},{"format":"middle"},{"format":"upper"}])");
}

TEST(HandedOverSecrets, AreReadOnceAndStandInNoDescription) {
  OutgoingDescriptors out;
  const crypto::Secret secret = crypto::Secret::random(kMaxSecret);
  const int number = out.add(secret).value();
  std::vector<UniqueFd> descriptors = out.take();
  ASSERT_EQ(descriptors.size(), 1u);
  EXPECT_EQ(::fcntl(descriptors[0].get(), F_GETFD), FD_CLOEXEC) << "any program would inherit it";
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
