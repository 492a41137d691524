#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/block/memory_device.h>
#include <intact/stack/discover.h>
#include <intact/verity/probe.h>
#include <intact/verity/volume.h>

namespace intact::stack {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::size_t kBlock = 4096;

std::vector<Content> contents_of(const Bytes& file,
                                 std::optional<std::uint64_t> hash_offset = std::nullopt) {
  const auto said = std::make_shared<verity::Credentials>();
  said->superblock_at = hash_offset;
  return probe(std::make_shared<block::MemoryDevice>(file), {said}).value();
}

/// The formats that are found, the outermost first.
std::vector<std::string> formats(const Bytes& file,
                                 std::optional<std::uint64_t> hash_offset = std::nullopt) {
  std::vector<std::string> names;
  for (const Content& layer : contents_of(file, hash_offset)) names.push_back(layer.format);
  return names;
}

Bytes with(std::size_t size, std::size_t at, std::string_view magic) {
  Bytes bytes(size);
  std::ranges::copy(as_bytes(magic), bytes.begin() + static_cast<std::ptrdiff_t>(at));
  return bytes;
}

/// `blocks` of data with superblock and tree behind them in one file.
Bytes volume(std::size_t blocks, std::uint64_t hash_offset, const std::string& hash = "sha256") {
  const verity::Layout layout{.params = {.hash = hash, .data_blocks = blocks},
                              .hash_offset = hash_offset};
  const std::uint64_t size = verity::needed_sizes(layout, 0, false).value().hash;
  const auto file = std::make_shared<block::MemoryDevice>(Bytes(size));
  EXPECT_TRUE(verity::format(layout, {.data = file, .hash = file}, verity::Uuid::random()));
  return file->bytes();
}

TEST(Probe, FormatsByTheirSignature) {
  using namespace std::string_view_literals;
  EXPECT_THAT(formats(with(kBlock, 0, "LUKS\xba\xbe\0\1"sv)), ElementsAre("luks1"));
  EXPECT_THAT(formats(with(kBlock, 0, "LUKS\xba\xbe\0\2"sv)), ElementsAre("luks2"));
  EXPECT_THAT(formats(with(kBlock, 0, "integrt\0"sv)), ElementsAre("integrity"));
  EXPECT_THAT(formats(with(kBlock, 0, "QFI\xfb")), ElementsAre("qcow2"));
  EXPECT_THAT(formats(with(kBlock, 0, "hsqs")), ElementsAre("squashfs"));
  EXPECT_THAT(formats(with(kBlock, 1024, "\xe2\xe1\xf5\xe0")), ElementsAre("erofs"));
  EXPECT_THAT(formats(with(kBlock, 1080, "\x53\xef")), ElementsAre("ext4"));
  EXPECT_THAT(formats(with(kBlock, 257, "ustar")), ElementsAre("tar"));
  EXPECT_THAT(formats(with(kBlock, 0, "\x1f\x8b\x08")), ElementsAre("gzip"));
  EXPECT_THAT(formats(with(kBlock, 512, "EFI PART")), ElementsAre("gpt"));
  EXPECT_THAT(formats(with(70000, 65600, "_BHRfS_M")), ElementsAre("btrfs"));
  EXPECT_THAT(formats(Bytes(kBlock)), IsEmpty());
  EXPECT_THAT(formats({}), IsEmpty());
}

TEST(Probe, HeadersThatAreCutOffAreNone) {
  EXPECT_THAT(formats(with(512, 0, "hsqs")), ElementsAre("squashfs"));
  for (std::size_t size = 4; size < 48; ++size)
    EXPECT_THAT(formats(with(size, 0, "hsqs")), IsEmpty()) << size;
}

TEST(Probe, HostileNumbersAreLeftOut) {
  Bytes erofs = with(kBlock, 1024, "\xe2\xe1\xf5\xe0");
  std::fill_n(erofs.begin() + 1028, 100, std::byte{0xff});
  const auto layers = contents_of(erofs);
  ASSERT_EQ(layers.size(), 1u);
  EXPECT_EQ(layers[0].facts["block_size"], 0);
  Bytes qcow2 = with(kBlock, 0, "QFI\xfb");
  std::fill_n(qcow2.begin() + 8, 16, std::byte{0xff});
  EXPECT_EQ(contents_of(qcow2)[0].facts["backing_file"], "");
}

TEST(Probe, AVolumeInOneFileOfAnySize) {
  for (const std::size_t blocks : {1, 2, 127, 128, 129, 500, 16384, 16385})
    for (const char* hash : {"sha256", "sha512", "sha1"}) {
      const auto layers = contents_of(volume(blocks, blocks * kBlock, hash));
      ASSERT_EQ(layers.size(), 1u) << blocks << hash;
      EXPECT_EQ(layers[0].format, "verity");
      EXPECT_EQ(layers[0].offset, blocks * kBlock);
      EXPECT_EQ(layers[0].facts["data_blocks"], blocks);
    }
}

TEST(Probe, ASuperblockBehindAFileSystemThatIsSmallerThanItsPlace) {
  Bytes file = volume(20, 20 * kBlock);
  file.resize(file.size() + 7 * kBlock);  // parity, say: the size tells nothing
  EXPECT_THAT(formats(file), IsEmpty());
  EXPECT_THAT(formats(file, 20 * kBlock), ElementsAre("verity"));
  EXPECT_THAT(formats(file, 19 * kBlock), IsEmpty());
  EXPECT_THAT(formats(file, UINT64_MAX), IsEmpty());
  // An EROFS of 20 blocks begins it.
  std::ranges::copy(as_bytes("\xe2\xe1\xf5\xe0"), file.begin() + 1024);
  file[1024 + 12] = std::byte{12};
  file[1024 + 36] = std::byte{20};
  EXPECT_THAT(formats(file), ElementsAre("verity", "erofs"));
}

TEST(Probe, AHashDevice) {
  const auto hash = std::make_shared<block::MemoryDevice>(Bytes(4 * kBlock));
  const auto data = std::make_shared<block::MemoryDevice>(Bytes(9 * kBlock));
  ASSERT_TRUE(verity::format({.params = {.data_blocks = 9}}, {.data = data, .hash = hash},
                             verity::Uuid::random()));
  EXPECT_THAT(formats(hash->bytes()), ElementsAre("verity"));
  EXPECT_THAT(formats(data->bytes()), IsEmpty());
}

}  // namespace
}  // namespace intact::stack
