#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/erofs/extent_map.h>

#include "test_image.h"

namespace intact::erofs {
namespace {

using test::kFile;
using test::TestImage;

constexpr std::uint64_t kInode = kFile * kSlotSize;
constexpr std::uint64_t kMap = 1560;  // map header of the file: after its extended attributes
constexpr std::uint64_t kIndex = kMap + sizeof(RawMapHeader);

/// The test image with a compressed file: 10000 bytes in two extents, both stored in block 1.
struct CompressedImage : TestImage {
  explicit CompressedImage(Layout layout = Layout::compressed) {
    put(kInode + offsetof(RawInodeExtended, format),
        le16(static_cast<std::uint16_t>(kFormatExtended | static_cast<unsigned>(layout)
                                                              << kFormatLayoutShift)));
    put(kInode + offsetof(RawInodeExtended, size), le64(10000));
    std::memset(bytes.data() + kMap, 0, 64);  // there was a tail
    // Bytes 0 to 8291: a head, then a cluster without one, which is as far from its head as from
    // the next one.
    put_pack(0, entry(ClusterType::head1, 0), entry(ClusterType::nonhead, 1), 0);
    put_pack(1, entry(ClusterType::plain, 100), 0, 0);
  }

  static std::uint16_t entry(ClusterType type, unsigned value) {
    return static_cast<std::uint16_t>(static_cast<unsigned>(type) << 12 | value);
  }
  void put_pack(std::uint64_t number, unsigned first, unsigned second, std::uint32_t block) {
    put(kIndex + number * 8, le16(static_cast<std::uint16_t>(first)));
    put(kIndex + number * 8 + 2, le16(static_cast<std::uint16_t>(second)));
    put(kIndex + number * 8 + 4, le32(block));
  }
  void advise(std::uint16_t bits) { put(kMap + offsetof(RawMapHeader, advise), le16(bits)); }

  template <typename Raw>
  void put(std::uint64_t offset, const Raw& raw) {
    std::memcpy(bytes.data() + offset, &raw, sizeof raw);
  }
};

Result<std::vector<std::vector<std::uint64_t>>> extents_of(const TestImage& bytes) {
  const auto image =
      TRY(Image::open(std::make_shared<MemorySource>(bytes.bytes), Accept::mappable));
  const Inode inode = TRY(image->inode(kFile));
  std::vector<std::vector<std::uint64_t>> found;
  TRY(TRY(ExtentMap::open(*image, inode)).list([&](const Extent& e) -> Result<void> {
    found.push_back({e.logical, e.length, e.offset, e.stored_length});
    return {};
  }));
  return found;
}

using testing::ElementsAre;

TEST(ExtentMap, FollowsACompactIndex) {
  const auto found = extents_of(CompressedImage());
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_THAT(*found,
              ElementsAre(ElementsAre(0, 8292, 4096, 4096), ElementsAre(8292, 1708, 4096, 4096)));
}

TEST(ExtentMap, OfATailPackedFileHasItsTail) {
  const auto found = extents_of(TestImage());
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_THAT(*found, ElementsAre(ElementsAre(0, 5, kMap, 5)));
}

/// A file of 10000 bytes in three chunks of a block, of which the second is a hole.
TEST(ExtentMap, FollowsChunks) {
  CompressedImage image(Layout::chunked);
  image.put(kInode + offsetof(RawInodeExtended, u), le32(0));
  image.put(kMap, le32(1));
  image.put(kMap + 4, le32(kNoBlock));
  image.put(kMap + 8, le32(0));
  const auto found = extents_of(image);
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_THAT(*found,
              ElementsAre(ElementsAre(0, 4096, 4096, 4096), ElementsAre(8192, 1808, 0, 1808)));
  image.put(kMap, le32(2));
  EXPECT_EQ(extents_of(image).error().kind(), ErrorKind::malformed);

  image.put(kInode + offsetof(RawInodeExtended, u), le32(kChunkIndexes));
  RawChunkIndex chunk{};
  chunk.block = 1;
  for (std::uint64_t i = 0; i < 3; ++i) image.put(kMap + i * sizeof chunk, chunk);
  EXPECT_EQ(extents_of(image)->size(), 3u);
  chunk.device_id = 1;
  image.put(kMap, chunk);
  EXPECT_EQ(extents_of(image).error().kind(), ErrorKind::unsupported);
}

TEST(ExtentMap, TellsFragmentsAndInlineClusters) {
  CompressedImage image;
  image.advise(kAdviseInline);
  image.put(kMap + offsetof(RawMapHeader, inline_size), le16(33));
  EXPECT_THAT(*extents_of(image), ElementsAre(ElementsAre(0, 8292, 4096, 4096),
                                              ElementsAre(8292, 1708, kIndex + 16, 33)));
  image.advise(kAdviseFragment);
  EXPECT_THAT(*extents_of(image), ElementsAre(ElementsAre(0, 8292, 4096, 4096),
                                              ElementsAre(8292, 1708, 33 << 16, 1708)));
  image.put(kMap, le64(kWholeFileFragment | 77));
  EXPECT_THAT(*extents_of(image), ElementsAre(ElementsAre(0, 10000, 77, 10000)));
}

/// A compressed file can be mapped but not read.
TEST(ExtentMap, ReadersGetNoCompressedFiles) {
  const CompressedImage bytes;
  const auto strict = bytes.open();
  ASSERT_TRUE(strict);
  EXPECT_EQ((*strict)->inode(kFile).error().kind(), ErrorKind::unsupported);
  const auto image = Image::open(std::make_shared<MemorySource>(bytes.bytes), Accept::mappable);
  ASSERT_TRUE(image);
  const auto inode = (*image)->inode(kFile);
  ASSERT_TRUE(inode);
  Bytes content(10);
  EXPECT_EQ((*image)->read(*inode, 0, content).error().kind(), ErrorKind::unsupported);
}

struct Damage {
  const char* name;
  ErrorKind kind;
  std::function<void(CompressedImage&)> apply;
};

class ExtentMapDamage : public testing::TestWithParam<Damage> {};

TEST_P(ExtentMapDamage, IsRefused) {
  CompressedImage image;
  ASSERT_TRUE(extents_of(image));
  GetParam().apply(image);
  const auto found = extents_of(image);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind(), GetParam().kind) << found.error().message();
}

constexpr auto kMalformed = ErrorKind::malformed;
constexpr auto kUnsupported = ErrorKind::unsupported;
constexpr auto kHead = ClusterType::head1;
constexpr auto kNonhead = ClusterType::nonhead;
constexpr auto entry = CompressedImage::entry;

std::function<void(CompressedImage&)> first_pack(unsigned first, unsigned second,
                                                 std::uint32_t block = 0) {
  return [=](CompressedImage& image) { image.put_pack(0, first, second, block); };
}

INSTANTIATE_TEST_SUITE_P(
    , ExtentMapDamage,
    testing::Values(
        Damage{"NoFirstHead", kMalformed, first_pack(entry(kNonhead, 1), entry(kNonhead, 2))},
        Damage{"FirstHeadBehindTheFirstByte", kMalformed,
               first_pack(entry(kHead, 1), entry(kNonhead, 1))},
        Damage{"DataBeyondTheEnd", kMalformed, first_pack(entry(kHead, 0), entry(kNonhead, 1), 1)},
        Damage{"DataBeyondAllNumbers", kMalformed,
               first_pack(entry(kHead, 0), entry(kNonhead, 1), 0xFFFFFFFE)},
        Damage{"ManyBlocksWhereAllHaveOne", kMalformed,
               first_pack(entry(kHead, 0), entry(kNonhead, kBlockCount | 1))},
        Damage{"NumberOfBlocksNotSaid", kMalformed,
               [](CompressedImage& image) { image.advise(kAdviseBigHead1 | kAdviseBigHead2); }},
        Damage{"BigClustersOfOneKind", kMalformed,
               [](CompressedImage& image) { image.advise(kAdviseBigHead1); }},
        Damage{"MoreClustersThanRoom", kMalformed,
               [](CompressedImage& image) {
                 image.put(kInode + offsetof(RawInodeExtended, size), le64(UINT64_MAX));
               }},
        Damage{"IndexBeyondTheEnd", kMalformed,
               [](CompressedImage& image) {
                 image.put(kInode + offsetof(RawInodeExtended, size), le64(1700 * 4096));
               }},
        Damage{"InlineClusterAcrossABlockBoundary", kMalformed,
               [](CompressedImage& image) {
                 image.advise(kAdviseInline);
                 image.put(kMap + offsetof(RawMapHeader, inline_size), le16(4096));
               }},
        Damage{"InlineAndFragment", kMalformed,
               [](CompressedImage& image) { image.advise(kAdviseInline | kAdviseFragment); }},
        Damage{"FragmentBeyondAllNumbers", kMalformed,
               [](CompressedImage& image) {
                 image.put(kInode + offsetof(RawInodeExtended, size), le64(UINT64_MAX));
                 image.put(kMap, le64(UINT64_MAX));
               }},
        Damage{"UnknownAdvice", kUnsupported, [](CompressedImage& image) { image.advise(64); }},
        Damage{"LargeLogicalClusters", kUnsupported,
               [](CompressedImage& image) {
                 image.put(kMap + offsetof(RawMapHeader, cluster_bits), std::uint8_t{1});
               }},
        Damage{"ExtentList", kUnsupported,
               [](CompressedImage& image) {
                 image = CompressedImage(Layout::compressed_full);
                 image.advise(kAdviseExtents);
               }},
        Damage{"FullIndexWithAHeadBehindItsCluster", kMalformed,
               [](CompressedImage& image) {
                 image = CompressedImage(Layout::compressed_full);
                 RawClusterIndex index{};
                 index.advise = 1;
                 index.cluster_offset = 4096;
                 image.put(kIndex + kFullIndexGap, index);
               }}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace intact::erofs
