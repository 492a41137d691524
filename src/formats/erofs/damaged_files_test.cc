#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/erofs/damaged_files.h>

#include "test_image.h"

namespace intact::erofs {
namespace {

using test::kDirectory;
using test::kFile;
using test::kRoot;
using test::kSymlink;
using test::TestImage;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint64_t kFileContent = 1560;  // after its extended attributes

/// An image in which reads of some bytes fail, as in a volume that checks them.
class DamagedSource final : public ByteSource {
 public:
  DamagedSource(Bytes bytes, ByteRange bad) : memory_(std::move(bytes)), bad_(bad) {}
  std::uint64_t size() const override { return memory_.size(); }
  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override {
    if (offset < bad_.offset + bad_.length && bad_.offset < offset + out.size())
      return Error(ErrorKind::tampered, "damaged");
    return memory_.read(offset, out);
  }

 private:
  MemorySource memory_;
  ByteRange bad_;
};

DamagedFiles look(const TestImage& image, const std::vector<ByteRange>& ranges) {
  auto found = files_in(std::make_shared<MemorySource>(image.bytes), ranges);
  EXPECT_TRUE(found) << found.error().message();
  return std::move(found).value_or(DamagedFiles{});
}

TEST(DamagedFiles, AreThoseWhoseBytesAreHit) {
  const TestImage image;
  const auto found = look(image, {{.offset = kRoot * kSlotSize, .length = 1},
                                  {.offset = kDirectory * kSlotSize, .length = 1},
                                  {.offset = kFileContent + 4, .length = 1},
                                  {.offset = kSymlink * kSlotSize + 33, .length = 1},
                                  {.offset = kBlockSize, .length = kBlockSize}});
  EXPECT_THAT(found.in_range,
              ElementsAre(ElementsAre("/"), ElementsAre("/dir"), ElementsAre("/file"),
                          ElementsAre("/link"), ElementsAre("/dir")));
  EXPECT_THAT(found.not_looked_into, IsEmpty());
}

TEST(DamagedFiles, AreNoneWhereNoFileIs) {
  const TestImage image;
  const auto found =
      look(image, {{.offset = 0, .length = 512}, {.offset = kFileContent + 5, .length = 3}});
  EXPECT_THAT(found.in_range, ElementsAre(IsEmpty(), IsEmpty()));
  EXPECT_THAT(look(image, {}).in_range, IsEmpty());
}

TEST(DamagedFiles, AreFoundForDamageOfOneObject) {
  const TestImage image;
  const DamagedRange range{.offset = kFileContent + 4, .bytes = 1};
  const auto found =
      files_of(std::make_shared<MemorySource>(image.bytes),
               {{.object = "hash", .range = range}, {.object = "data", .range = range}}, "data");
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_THAT(found->in_range, ElementsAre(IsEmpty(), ElementsAre("/file")));
}

TEST(DamagedFiles, ARangeNamesEachFileThatItTouches) {
  const TestImage image;
  const auto found = look(image, {{.offset = 0, .length = kBlockSize}});
  EXPECT_THAT(found.in_range, ElementsAre(ElementsAre("/", "/dir", "/file", "/link")));
}

TEST(DamagedFiles, ADirectoryThatCannotBeReadHidesItsNames) {
  const TestImage image;
  const ByteRange bad{.offset = kBlockSize, .length = kBlockSize};
  const auto found = files_in(std::make_shared<DamagedSource>(image.bytes, bad), {bad});
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_THAT(found->in_range, ElementsAre(ElementsAre("/dir", "/dir/...")));
  EXPECT_THAT(found->not_looked_into, IsEmpty());
}

TEST(DamagedFiles, AnInodeThatCannotBeReadIsDamaged) {
  const TestImage image;
  const ByteRange bad{.offset = kFile * kSlotSize, .length = 8};
  const auto found = files_in(std::make_shared<DamagedSource>(image.bytes, bad), {bad});
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_THAT(found->in_range, ElementsAre(ElementsAre("/file")));
}

TEST(DamagedFiles, AContradictoryLayoutIsNamed) {
  TestImage image;
  image.bytes[kFile * kSlotSize] |= std::byte{7 << kFormatLayoutShift};
  const auto found = look(image, {{.offset = kFileContent, .length = 1}});
  EXPECT_THAT(found.in_range, ElementsAre(IsEmpty()));
  EXPECT_THAT(found.not_looked_into, ElementsAre("/file"));
}

TEST(DamagedFiles, OtherFileSystemsHaveNone) {
  const auto found =
      files_in(std::make_shared<MemorySource>(Bytes(8192)), {{.offset = 0, .length = 8192}});
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_THAT(found->in_range, ElementsAre(IsEmpty()));
}

}  // namespace
}  // namespace intact::erofs
