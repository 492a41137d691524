#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/erofs/image.h>
#include <intact/erofs/xattr.h>

#include "test_image.h"

namespace intact::erofs {
namespace {

using test::kDirectory;
using test::kFile;
using test::kRoot;
using test::kSymlink;
using test::TestImage;

std::vector<std::string> names_of(const Image& image, std::uint64_t nid) {
  std::vector<std::string> names;
  const auto inode = image.inode(nid);
  if (!inode) return {inode.error().message()};
  auto listed = image.list(*inode, 0, [&](const Dirent& entry, std::uint64_t) -> Result<bool> {
    names.emplace_back(entry.name);
    return true;
  });
  if (!listed) names.push_back(listed.error().message());
  return names;
}

TEST(ErofsImage, UndamagedImageReads) {
  const auto image = TestImage().open();
  ASSERT_TRUE(image) << image.error().message();
  EXPECT_THAT(names_of(**image, kRoot), testing::ElementsAre(".", "..", "dir", "file", "link"));
  EXPECT_THAT(names_of(**image, kDirectory), testing::ElementsAre(".", ".."));

  const auto root = (*image)->inode(kRoot);
  ASSERT_TRUE(root);
  const auto found = (*image)->lookup(*root, "file");
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->nid, kFile);
  EXPECT_EQ((*found)->type, FileType::regular);
  const auto missing = (*image)->lookup(*root, "fil");
  ASSERT_TRUE(missing);
  EXPECT_FALSE(*missing);

  const auto file = (*image)->inode(kFile);
  ASSERT_TRUE(file);
  EXPECT_EQ(file->attributes.mtime.seconds, 77);
  EXPECT_EQ(file->attributes.uid, 70000u);
  std::string content(5, '\0');
  ASSERT_TRUE((*image)->read(*file, 0, std::as_writable_bytes(std::span(content))));
  EXPECT_EQ(content, "hello");
  const auto xattrs = (*image)->xattrs(*file);
  ASSERT_TRUE(xattrs);
  EXPECT_THAT(*xattrs, testing::ElementsAre(tree::Xattr{"user.own", "1"},
                                            tree::Xattr{"security.shared", "2"}));

  const auto link = (*image)->inode(kSymlink);
  ASSERT_TRUE(link);
  const auto target = (*image)->read_link(*link);
  ASSERT_TRUE(target);
  EXPECT_EQ(*target, "target");
}

TEST(ErofsImage, ListingContinuesAtACookie) {
  const auto image = TestImage().open();
  ASSERT_TRUE(image);
  const auto root = (*image)->inode(kRoot);
  ASSERT_TRUE(root);
  std::vector<std::string> names;
  std::uint64_t cookie = 0;
  for (bool more = true; more;) {
    more = false;
    ASSERT_TRUE(
        (*image)->list(*root, cookie, [&](const Dirent& entry, std::uint64_t next) -> Result<bool> {
          if (more) return false;
          names.emplace_back(entry.name);
          cookie = next;
          more = true;
          return true;
        }));
  }
  EXPECT_THAT(names, testing::ElementsAre(".", "..", "dir", "file", "link"));
}

/// Opens, then reads everything that the test image has; the first error.
Result<void> read_all(const TestImage& bytes) {
  const auto image = TRY(bytes.open());
  for (const std::uint64_t nid : {kRoot, kDirectory, kFile, kSymlink}) {
    const Inode inode = TRY(image->inode(nid));
    TRY(image->xattrs(inode));
    if (inode.is_directory())
      TRY(image->list(inode, 0, [](const Dirent&, std::uint64_t) -> Result<bool> { return true; }));
    if (inode.attributes.is_symlink()) TRY(image->read_link(inode));
    if (inode.attributes.is_regular()) {
      Bytes content(5);
      TRY(image->read(inode, 0, content));
    }
  }
  return {};
}

struct Damage {
  const char* name;
  ErrorKind kind;
  std::function<void(TestImage&)> apply;
};

class ErofsDamage : public testing::TestWithParam<Damage> {};

TEST_P(ErofsDamage, IsRefused) {
  TestImage image;
  ASSERT_TRUE(read_all(image));
  GetParam().apply(image);
  const auto outcome = read_all(image);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind(), GetParam().kind) << outcome.error().message();
}

template <typename Raw, typename Field, typename Value>
std::function<void(TestImage&)> set(std::uint64_t offset, Field Raw::* field, Value value) {
  return [=](TestImage& image) {
    Raw raw;
    std::memcpy(&raw, image.bytes.data() + offset, sizeof raw);
    raw.*field = static_cast<decltype([](auto v) {
      if constexpr (requires { v.get(); })
        return v.get();
      else
        return v;
    }(raw.*field))>(value);
    std::memcpy(image.bytes.data() + offset, &raw, sizeof raw);
  };
}

std::function<void(TestImage&)> put(std::uint64_t offset, std::string text) {
  return
      [=](TestImage& image) { std::memcpy(image.bytes.data() + offset, text.data(), text.size()); };
}

constexpr auto kSuper = kSuperblockOffset;
constexpr auto kMalformed = ErrorKind::malformed;
constexpr auto kUnsupported = ErrorKind::unsupported;

INSTANTIATE_TEST_SUITE_P(
    Superblock, ErofsDamage,
    testing::Values(
        Damage{"Magic", kMalformed, set(kSuper, &RawSuperblock::magic, 1)},
        Damage{"UnknownFeature", kUnsupported, set(kSuper, &RawSuperblock::feature_incompat, 1)},
        Damage{"UnknownFeatureBesideChunks", kUnsupported,
               set(kSuper, &RawSuperblock::feature_incompat, 4 | 8)},
        Damage{"BlockSize", kUnsupported, set(kSuper, &RawSuperblock::block_bits, 9)},
        Damage{"DirectoryBlockSize", kUnsupported, set(kSuper, &RawSuperblock::dir_block_bits, 1)},
        Damage{"Extension", kUnsupported, set(kSuper, &RawSuperblock::ext_slots, 1)},
        Damage{"FurtherDevice", kUnsupported, set(kSuper, &RawSuperblock::extra_devices, 1)},
        Damage{"CutFile", kMalformed, [](TestImage& image) { image.bytes.resize(8191); }},
        Damage{"NoSuperblock", kMalformed, [](TestImage& image) { image.bytes.resize(1100); }},
        Damage{"FewerBlocksThanUsed", kMalformed, set(kSuper, &RawSuperblock::blocks, 0)},
        Damage{"MetadataBeyondTheEnd", kMalformed, set(kSuper, &RawSuperblock::meta_blkaddr, 99)},
        Damage{"XattrsBeyondTheEnd", kMalformed, set(kSuper, &RawSuperblock::xattr_blkaddr, 99)},
        Damage{"BuildTime", kMalformed,
               set(kSuper, &RawSuperblock::build_time_nsec, 1'000'000'000)}),
    [](const auto& test) { return test.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Inode, ErofsDamage,
    testing::Values(
        Damage{"Compressed", kUnsupported,
               set(kFile* kSlotSize, &RawInodeExtended::format, 1 | 3 << 1)},
        Damage{"CompressedFull", kUnsupported,
               set(kFile* kSlotSize, &RawInodeExtended::format, 1 | 1 << 1)},
        Damage{"UnknownFormatBit", kUnsupported,
               set(kFile* kSlotSize, &RawInodeExtended::format, 1 | 2 << 1 | 0x10)},
        Damage{"NoFileType", kMalformed, set(kFile* kSlotSize, &RawInodeExtended::mode, 0644)},
        Damage{"Nanoseconds", kMalformed,
               set(kFile* kSlotSize, &RawInodeExtended::mtime_nsec, 1'000'000'000)},
        Damage{"XattrsBeyondTheEnd", kMalformed,
               set(kFile* kSlotSize, &RawInodeExtended::xattr_icount, 60000)},
        Damage{"DataBeyondTheEnd", kMalformed,
               [](TestImage& image) {
                 set(kFile * kSlotSize, &RawInodeExtended::format, 1)(image);
                 set(kFile * kSlotSize, &RawInodeExtended::u, 2)(image);
               }},
        Damage{"HugeFile", kMalformed, set(kFile* kSlotSize, &RawInodeExtended::size, UINT64_MAX)},
        Damage{"TailOfAWholeBlock", kMalformed,
               set(kFile* kSlotSize, &RawInodeExtended::size, 4096)},
        Damage{"TailAcrossABlockBoundary", kMalformed,
               set(kFile* kSlotSize, &RawInodeExtended::size, 4000)},
        Damage{"UnknownFormOfChunks", kUnsupported,
               [](TestImage& image) {
                 set(kFile * kSlotSize, &RawInodeExtended::format, 1 | 4 << 1)(image);
                 set(kFile * kSlotSize, &RawInodeExtended::u, 0x20)(image);
               }},
        Damage{"ContentInChunks", kUnsupported,
               set(kFile* kSlotSize, &RawInodeExtended::format, 1 | 4 << 1)},
        Damage{"ChunkedDirectory", kMalformed,
               set(kDirectory* kSlotSize, &RawInodeCompact::format, 4 << 1)},
        Damage{"EmptySymlink", kMalformed, set(kSymlink* kSlotSize, &RawInodeCompact::size, 0)},
        Damage{"NulInSymlink", kMalformed, put(kSymlink* kSlotSize + 34, std::string(1, '\0'))}),
    [](const auto& test) { return test.param.name; });

constexpr std::uint64_t kDirents = kRoot * kSlotSize + sizeof(RawInodeCompact);
constexpr std::uint64_t kNames = kDirents + 5 * sizeof(RawDirent);

INSTANTIATE_TEST_SUITE_P(
    Directory, ErofsDamage,
    testing::Values(
        Damage{"Slash", kMalformed, put(kNames + 3, "d/r")},
        Damage{"Nul", kMalformed, put(kNames + 3, std::string("d\0r", 3))},
        Damage{"NulInTheLastName", kMalformed, put(kNames + 10, std::string("\0ink", 4))},
        Damage{"Unsorted", kMalformed, put(kNames + 3, "zir")},
        Damage{"Duplicate", kMalformed, put(kNames + 10, "file")},
        Damage{"Overlapping", kMalformed,
               set(kDirents + 3 * sizeof(RawDirent), &RawDirent::name_offset, 60)},
        Damage{"NameBeyondTheEnd", kMalformed,
               set(kDirents + 4 * sizeof(RawDirent), &RawDirent::name_offset, 4000)},
        Damage{"FirstNameInTheEntries", kMalformed, set(kDirents, &RawDirent::name_offset, 13)},
        Damage{"NoEntries", kMalformed, set(kDirents, &RawDirent::name_offset, 0)},
        Damage{"UnknownType", kMalformed,
               set(kDirents + 2 * sizeof(RawDirent), &RawDirent::file_type, 8)}),
    [](const auto& test) { return test.param.name; });

/// An inode that names the same shared attribute of 64 KiB `count` times.
Result<std::vector<tree::Xattr>> read_repeated_xattr(std::uint8_t count) {
  constexpr std::uint64_t kBlocks = 40;
  constexpr std::uint64_t kInode = 20 * kBlockSize;
  constexpr std::uint64_t kEntry = 2 * kBlockSize;
  test::TestImage image;
  image.bytes.resize(kBlocks * kBlockSize);
  const auto store = [&](std::uint64_t offset, const auto& raw) {
    std::memcpy(image.bytes.data() + offset, &raw, sizeof raw);
  };
  store(kSuperblockOffset + offsetof(RawSuperblock, blocks), le32(kBlocks));
  RawInodeCompact inode;
  inode.mode = 0100644;
  inode.nlink = 1;
  const std::size_t area = sizeof(RawXattrHeader) + count * sizeof(le32);
  inode.xattr_icount = static_cast<std::uint16_t>(xattr_icount(area));
  store(kInode, inode);
  RawXattrHeader header;
  header.shared_count = count;
  store(kInode + sizeof inode, header);
  for (std::uint64_t i = 0; i < count; ++i)
    store(kInode + sizeof inode + sizeof header + 4 * i, le32(kEntry / 4));
  RawXattrEntry entry{.suffix_length = 1, .name_index = 1};
  entry.value_size = 65000;
  store(kEntry, entry);
  store(kEntry + sizeof entry, 'x');
  const auto opened = TRY(image.open());
  return opened->xattrs(TRY(opened->inode(kInode / kSlotSize)));
}

// Four bytes of the image must not take 64 KiB of memory without end.
TEST(ErofsXattrs, SharedOnesHaveALimitOnTheirSizeTogether) {
  const auto one = read_repeated_xattr(1);
  ASSERT_TRUE(one);
  EXPECT_EQ(one->front().value.size(), 65000u);
  const auto many = read_repeated_xattr(200);
  ASSERT_FALSE(many);
  EXPECT_EQ(many.error().kind(), ErrorKind::limit);
  EXPECT_THAT(many.error().message(), testing::HasSubstr("take more than 1048576 bytes"));
}

constexpr std::uint64_t kXattrs = kFile * kSlotSize + sizeof(RawInodeExtended);

INSTANTIATE_TEST_SUITE_P(
    Xattrs, ErofsDamage,
    testing::Values(
        Damage{"TooManyShared", kMalformed, set(kXattrs, &RawXattrHeader::shared_count, 99)},
        Damage{"SharedIdBeyondTheEnd", kMalformed, put(kXattrs + 12, "\xff\xff\xff\xff")},
        Damage{"UnknownPrefix", kUnsupported, set(kXattrs + 16, &RawXattrEntry::name_index, 7)},
        Damage{"NoName", kMalformed,
               [](TestImage& image) {
                 set(kXattrs + 16, &RawXattrEntry::name_index, 0)(image);
                 set(kXattrs + 16, &RawXattrEntry::suffix_length, 0)(image);
               }},
        Damage{"ValueBeyondTheArea", kMalformed,
               set(kXattrs + 16, &RawXattrEntry::value_size, 500)},
        Damage{"SharedValueBeyondTheEnd", kMalformed,
               set(test::kSharedXattr, &RawXattrEntry::value_size, 60000)},
        Damage{"NulInName", kMalformed, put(kXattrs + 20, std::string(1, '\0'))},
        Damage{"Duplicate", kMalformed,
               [](TestImage& image) {
                 set(test::kSharedXattr, &RawXattrEntry::name_index, 1)(image);
                 set(test::kSharedXattr, &RawXattrEntry::suffix_length, 3)(image);
                 put(test::kSharedXattr + 4, "own")(image);
               }}),
    [](const auto& test) { return test.param.name; });

TEST(ErofsImage, InodesBeyondTheEndAreRefused) {
  const auto image = TestImage().open();
  ASSERT_TRUE(image);
  EXPECT_TRUE((*image)->inode(kRoot));
  for (const std::uint64_t nid : {std::uint64_t{256}, std::uint64_t{1} << 59, UINT64_MAX})
    EXPECT_FALSE((*image)->inode(nid)) << nid;
}

TEST(ErofsImage, ReadsBeyondTheEndOfAFileAreRefused) {
  const auto image = TestImage().open();
  ASSERT_TRUE(image);
  const auto file = (*image)->inode(kFile);
  ASSERT_TRUE(file);
  Bytes two(2);
  EXPECT_TRUE((*image)->read(*file, 3, two));
  EXPECT_FALSE((*image)->read(*file, 4, two));
  EXPECT_FALSE((*image)->read(*file, UINT64_MAX, two));
}

TEST(XattrNames, SplitAtTheFirstPrefixThatFits) {
  const auto check = [](std::string_view name, int index, std::string_view suffix) {
    const SplitName split = split_xattr_name(name);
    EXPECT_EQ(split.index, index) << name;
    EXPECT_EQ(split.suffix, suffix) << name;
    EXPECT_EQ(std::string(*xattr_prefix(split.index)) + std::string(split.suffix), name);
  };
  check("user.a", 1, "a");
  check("user.", 1, "");
  check("system.posix_acl_access", 2, "");
  check("system.posix_acl_default", 3, "");
  check("trusted.overlay.x", 4, "overlay.x");
  check("security.selinux", 6, "selinux");
  check("lustre.lov", 0, "lustre.lov");  // as the reference writer has it
  check("usera", 0, "usera");
  EXPECT_EQ(xattr_prefix(5), "lustre.");
  EXPECT_FALSE(xattr_prefix(7));
}

}  // namespace
}  // namespace intact::erofs
