// Images that no writer produces: readers must end, and either refuse or return some tree.

#include <cstdlib>
#include <cstring>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/composefs/image_tree.h>
#include <intact/erofs/format.h>
#include <intact/erofs/image.h>

#include "format.h"
#include "testing.h"

namespace intact::composefs {
namespace {

const std::string kRoot = "/ 0 40755 2 0 0 0 0.0 - - -\n";
const std::string kHex = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const std::string kPayload = "01/" + kHex.substr(2);

std::string nested_dump() {
  return kRoot +
         "/a 0 40755 2 0 0 0 0.0 - - -\n"
         "/a/b 0 40755 2 0 0 0 0.0 - - -\n"
         "/a/b/f 70 100644 1 0 0 0 5.0 " +
         kPayload + " - " + kHex +
         " user.one=1 security.selinux=x\n"
         "/c 0 40755 2 0 0 0 0.0 - - - security.selinux=x\n"
         "/g 3 100644 1 70000 0 0 0.0 - abc -\n"
         "/l 3 120777 1 0 0 0 0.0 abc - -\n"
         "/w 0 20000 1 0 0 0 0.0 - - -\n";
}

/// An image and where its inodes are.
struct Editable {
  Bytes bytes;
  std::unique_ptr<erofs::Image> image;

  explicit Editable(const std::string& dump) : bytes(test::image_of(dump)) {
    auto opened = erofs::Image::open(test::source_of(bytes));
    if (opened) image = *std::move(opened);
  }
  erofs::Inode inode(std::string_view path) const {
    std::uint64_t nid = image->root();
    while (!path.empty()) {
      const std::size_t end = std::min(path.find('/'), path.size());
      if (end > 0) nid = (*image->lookup(*image->inode(nid), path.substr(0, end)))->nid;
      path.remove_prefix(std::min(end + 1, path.size()));
    }
    return *image->inode(nid);
  }
  /// Byte of the entry of `name` in a directory of one block.
  std::uint64_t dirent(std::string_view directory, std::string_view name) const {
    const erofs::Inode inside = inode(directory);
    std::uint64_t index = 0;
    std::uint64_t found = 0;
    auto outcome =
        image->list(inside, 0, [&](const erofs::Dirent& entry, std::uint64_t) -> Result<bool> {
          if (entry.name == name) found = index;
          ++index;
          return true;
        });
    if (!outcome) ADD_FAILURE() << outcome.error().message();
    const bool in_block =
        inside.layout == erofs::Layout::plain || inside.attributes.size > erofs::kBlockSize;
    return (in_block ? inside.data_offset : inside.tail_offset) + found * sizeof(erofs::RawDirent);
  }
  void set_nid(std::uint64_t dirent_offset, std::uint64_t nid) {
    const le64 raw(nid);
    std::memcpy(bytes.data() + dirent_offset, &raw, sizeof raw);
  }
  template <typename Field>
  void put(std::uint64_t offset, Field value) {
    std::memcpy(bytes.data() + offset, &value, sizeof value);
  }
  Result<tree::Tree> read() const { return read_tree(test::source_of(bytes)); }
  std::unique_ptr<ImageTree> open() const {
    auto opened = ImageTree::open(test::source_of(bytes), nullptr);
    return opened ? *std::move(opened) : nullptr;
  }
};

void expect_malformed(const Result<tree::Tree>& outcome, std::string_view reason) {
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind(), ErrorKind::malformed);
  EXPECT_THAT(outcome.error().message(), testing::HasSubstr(std::string(reason)));
}

TEST(HostileImage, UndamagedTwinReads) {
  const Editable image(nested_dump());
  EXPECT_TRUE(image.read());
}

TEST(HostileImage, DirectoriesInALoop) {
  Editable image(nested_dump());
  // /a/b/f becomes another name of /a.
  image.set_nid(image.dirent("a/b", "f"), image.inode("a").nid);
  image.put(image.dirent("a/b", "f") + offsetof(erofs::RawDirent, file_type),
            erofs::FileType::directory);
  expect_malformed(image.read(), "second name");
  const auto tree = image.open();
  ASSERT_TRUE(tree);
  const auto a = tree->lookup(tree->root(), "a");
  const auto b = tree->lookup(*a, "b");
  ASSERT_TRUE(b);
  const auto looped = tree->lookup(*b, "f");
  ASSERT_FALSE(looped);
  EXPECT_EQ(looped.error().kind(), ErrorKind::malformed);
}

TEST(HostileImage, RootBelowItself) {
  Editable image(nested_dump());
  image.set_nid(image.dirent("a", "b"), image.image->root());
  expect_malformed(image.read(), "second name");
  const auto tree = image.open();
  const auto a = tree->lookup(tree->root(), "a");
  EXPECT_FALSE(tree->lookup(*a, "b"));
}

TEST(HostileImage, DirectoryWithTwoNames) {
  Editable image(kRoot +
                 "/d 0 40755 2 0 0 0 0.0 - - -\n/d/x 0 40755 2 0 0 0 0.0 - - -\n"
                 "/d/y 0 40755 2 0 0 0 0.0 - - -\n");
  EXPECT_TRUE(image.read());
  image.set_nid(image.dirent("d", "y"), image.inode("d/x").nid);
  expect_malformed(image.read(), "second name");
}

TEST(HostileImage, WrongParent) {
  Editable image(nested_dump());
  image.set_nid(image.dirent("a/b", ".."), image.inode("c").nid);
  expect_malformed(image.read(), "'..'");
  const auto tree = image.open();
  const auto a = tree->lookup(tree->root(), "a");
  EXPECT_FALSE(tree->lookup(*a, "b"));
}

TEST(HostileImage, WrongSelf) {
  Editable image(nested_dump());
  image.set_nid(image.dirent("a/b", "."), image.inode("c").nid);
  expect_malformed(image.read(), "'.'");
}

TEST(HostileImage, EntryOfAnotherType) {
  Editable image(nested_dump());
  image.put(image.dirent("a/b", "f") + offsetof(erofs::RawDirent, file_type),
            erofs::FileType::fifo);
  expect_malformed(image.read(), "type");
}

TEST(HostileImage, EntryBeyondTheEnd) {
  Editable image(nested_dump());
  image.set_nid(image.dirent("a/b", "f"), UINT64_MAX / 2);
  expect_malformed(image.read(), "beyond the end");
}

TEST(HostileImage, RootIsAFile) {
  Editable image(nested_dump());
  image.put(image.inode("").nid * erofs::kSlotSize + offsetof(erofs::RawInodeCompact, mode),
            le16(0100644));
  EXPECT_FALSE(image.read());
  EXPECT_FALSE(image.open());
}

TEST(HostileImage, ForeignHeaders) {
  Editable image(nested_dump());
  image.put(0, le32(kHeaderMagic + 1));
  expect_malformed(image.read(), "magic");
  image = Editable(nested_dump());
  image.put(offsetof(RawHeader, version), le32(2));
  EXPECT_EQ(image.read().error().kind(), ErrorKind::unsupported);
  image = Editable(nested_dump());
  image.put(offsetof(RawHeader, format_version), le32(3));
  EXPECT_EQ(image.read().error().kind(), ErrorKind::unsupported);
  image = Editable(nested_dump());
  image.put(offsetof(RawHeader, format_version), le32(2));  // composefs-rs: reads the same
  EXPECT_TRUE(image.read());
  for (const std::size_t size : {0, 31, 32, 1024, 1151, 4096}) {
    image = Editable(nested_dump());
    image.bytes.resize(size);
    EXPECT_FALSE(image.read()) << size;
  }
}

TEST(HostileImage, EveryFlippedBitOfTheMetadataIsRefusedOrReads) {
  const Editable good(nested_dump());
  // A part of the long runs of whiteouts and zeros, which are all alike, is enough for every day.
  const bool every = std::getenv("INTACT_EVERY_BYTE") != nullptr;
  std::size_t refused = 0;
  std::size_t read = 0;
  for (std::size_t at = 0; at < good.bytes.size(); ++at) {
    const bool alike = good.bytes[at] == std::byte{0} && at % 61 != 0;
    const bool whiteouts = at > 1200 && at < 8500 && at % 29 != 0;
    if (!every && (alike || whiteouts)) continue;
    Bytes bytes = good.bytes;
    bytes[at] ^= std::byte{static_cast<unsigned char>(1u << (at % 8))};
    const auto source = test::source_of(std::move(bytes));
    const auto outcome = read_tree(source);
    outcome ? ++read : ++refused;
    if (outcome) (void)write_image(*outcome);
    (void)list_objects(source);
    const auto opened = ImageTree::open(source, nullptr);
    if (opened) {
      const auto& tree = *opened;
      for (std::uint64_t nid = 30; nid < 600; nid += 1 + at % 37) {
        const tree::NodeId node{nid};
        (void)tree->attributes(node);
        (void)tree->list_xattrs(node);
        (void)tree->read_link(node);
        (void)tree->lookup(node, "b");
        (void)tree->list(node, 0, [](const tree::DirectoryEntry&, std::uint64_t) { return true; });
      }
    }
  }
  EXPECT_GT(refused, 50u);
  EXPECT_GT(read, 50u);
}

TEST(HostileImage, SharedAttributesCannotFillTheMemory) {
  // Each of 200 files has an attribute of 30,000 bytes that the image holds once.
  constexpr std::uint64_t kFiles = 200;
  std::string dump = kRoot;
  const std::string big(30000, 'v');
  for (std::uint64_t i = 0; i < kFiles; ++i)
    dump += fmt::format("/{:05d} 0 100644 1 0 0 0 0.0 - - -\n", i);
  auto tree = test::parse(dump);
  ASSERT_TRUE(tree);
  for (auto& [name, entry] : tree->root().entries) entry.inode->set_xattr("user.big", big);
  const Bytes image = *write_image(*tree);
  EXPECT_LT(image.size(), 200u << 10);
  // As a pull counts them.
  const std::uint64_t size = kFiles * (tree::kXattrCost + 8 + big.size());
  const auto back = read_tree(test::source_of(image), {.metadata_bytes = size});
  ASSERT_TRUE(back);
  EXPECT_EQ(back->find("/00199")->xattrs, tree->find("/00199")->xattrs);
  EXPECT_TRUE(read_tree(test::source_of(image)));
  auto refused = read_tree(test::source_of(image), {.metadata_bytes = size - 1});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::limit);
}

}  // namespace
}  // namespace intact::composefs
