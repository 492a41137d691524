#include <map>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/composefs/image_tree.h>

#include "testing.h"

namespace intact::composefs {
namespace {

using tree::NodeId;

const std::string kRoot = "/ 0 40755 2 0 0 0 0.0 - - -\n";
const std::string kHex = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const std::string kPayload = "01/" + kHex.substr(2);

/// Remembers what was asked for; opens files of one letter.
class RecordingOpener final : public ObjectOpener {
 public:
  class File final : public tree::OpenFile {
   public:
    Result<std::size_t> read(std::uint64_t, MutableByteSpan out) override {
      std::fill(out.begin(), out.end(), std::byte{'o'});
      return out.size();
    }
  };
  Result<std::shared_ptr<tree::OpenFile>> open(const std::string& payload,
                                               const std::optional<Digest>& digest,
                                               std::uint64_t size, NodeId) const override {
    opened.push_back(fmt::format("{} {} {}", payload, digest ? digest->hex() : "-", size));
    return std::shared_ptr<tree::OpenFile>(std::make_shared<File>());
  }
  mutable std::vector<std::string> opened;
};

struct Opened {
  std::shared_ptr<RecordingOpener> opener = std::make_shared<RecordingOpener>();
  std::unique_ptr<ImageTree> tree;

  explicit Opened(const std::string& dump) : Opened(test::image_of(dump)) {}
  explicit Opened(Bytes image) {
    auto result = ImageTree::open(test::source_of(std::move(image)), opener);
    if (result)
      tree = *std::move(result);
    else
      ADD_FAILURE() << result.error().message();
  }
  /// Follows a path by lookups.
  Result<NodeId> find(std::string_view path) const {
    NodeId at = tree->root();
    while (!path.empty()) {
      const std::size_t end = std::min(path.find('/'), path.size());
      if (end > 0) at = TRY(tree->lookup(at, path.substr(0, end)));
      path.remove_prefix(std::min(end + 1, path.size()));
    }
    return at;
  }
  std::vector<std::string> list(NodeId node, std::uint64_t cookie = 0) const {
    std::vector<std::string> names;
    auto outcome = tree->list(node, cookie, [&](const tree::DirectoryEntry& entry, std::uint64_t) {
      names.emplace_back(entry.name);
      return true;
    });
    if (!outcome) ADD_FAILURE() << outcome.error().message();
    return names;
  }
};

TEST(ImageTree, HidesWhatIsThereForTheKernelOnly) {
  const Opened image(kRoot + "/00 0 40700 2 0 0 0 0.0 - - -\n/f 0 100644 1 0 0 0 0.0 - - -\n");
  EXPECT_THAT(image.list(image.tree->root()), testing::ElementsAre("00", "f"));
  EXPECT_TRUE(image.find("/00"));
  const auto hidden = image.find("/01");
  ASSERT_FALSE(hidden);
  EXPECT_EQ(hidden.error().kind(), ErrorKind::not_found);
  EXPECT_FALSE(image.find("/."));
  const auto names = image.tree->list_xattrs(image.tree->root());
  ASSERT_TRUE(names);
  EXPECT_THAT(*names, testing::IsEmpty());
  EXPECT_FALSE(image.tree->get_xattr(image.tree->root(), "trusted.overlay.opaque"));
}

TEST(ImageTree, ShowsAttributesUnescaped) {
  const Opened image(kRoot + "/f 70 100644 1 0 0 0 0.0 " + kPayload + " - " + kHex +
                     " user.a=1 trusted.overlay.origin=2 trusted.overlay.overlay.x=3\n");
  const auto file = image.find("/f");
  ASSERT_TRUE(file);
  const auto names = image.tree->list_xattrs(*file);
  ASSERT_TRUE(names);
  EXPECT_THAT(*names, testing::UnorderedElementsAre("user.a", "trusted.overlay.origin",
                                                    "trusted.overlay.overlay.x"));
  const auto origin = image.tree->get_xattr(*file, "trusted.overlay.origin");
  ASSERT_TRUE(origin);
  EXPECT_EQ(*origin, "2");
  const auto redirect = image.tree->get_xattr(*file, "trusted.overlay.redirect");
  ASSERT_FALSE(redirect);
  EXPECT_EQ(redirect.error().kind(), ErrorKind::not_found);
}

TEST(ImageTree, GivesAttributesAndTargets) {
  const Opened image(kRoot +
                     "/f 3 104755 2 70000 5 0 12.5 - abc -\n/g 3 @100644 2 0 0 0 0.0 /f - -\n"
                     "/l 3 120777 1 0 0 0 0.0 a/b - -\n/c 0 20600 1 0 0 259 0.0 - - -\n"
                     "/d 0 40700 9 0 0 0 0.0 - - -\n/d/e 0 40700 2 0 0 0 0.0 - - -\n");
  const auto file = image.find("/f");
  ASSERT_TRUE(file);
  const auto attributes = image.tree->attributes(*file);
  ASSERT_TRUE(attributes);
  EXPECT_EQ(attributes->mode, 0104755u);
  EXPECT_EQ(attributes->nlink, 2u);
  EXPECT_EQ(attributes->uid, 70000u);
  EXPECT_EQ(attributes->gid, 5u);
  EXPECT_EQ(attributes->size, 3u);
  EXPECT_EQ(attributes->mtime, (tree::Timestamp{12, 5}));
  EXPECT_EQ(*image.find("/g"), *file);
  EXPECT_EQ(*image.tree->read_link(*image.find("/l")), "a/b");
  EXPECT_FALSE(image.tree->read_link(*file));
  EXPECT_EQ(image.tree->attributes(*image.find("/c"))->rdev, 259u);
  EXPECT_EQ(image.tree->attributes(*image.find("/d"))->nlink, 3u);
  EXPECT_EQ(*image.tree->parent(*image.find("/d/e")), *image.find("/d"));
  EXPECT_EQ(*image.tree->parent(image.tree->root()), image.tree->root());
  EXPECT_EQ(image.tree->path_of(*image.find("/d/e")), "/d/e");
  EXPECT_EQ(image.tree->path_of(NodeId{7}), "(node 7)");
  const auto inside_a_file = image.tree->lookup(*file, "x");
  ASSERT_FALSE(inside_a_file);
  EXPECT_EQ(inside_a_file.error().kind(), ErrorKind::invalid_argument);
}

TEST(ImageTree, InlineContentComesFromTheImage) {
  const std::string content(4500, 'y');
  const Opened image(kRoot + "/f 4500 100644 1 0 0 0 0.0 - " + content +
                     " -\n/e 0 100644 1 0 0 0 0.0 - - -\n");
  const auto file = image.tree->open(*image.find("/f"));
  ASSERT_TRUE(file) << file.error().message();
  std::string read(9000, '\0');
  const auto count = (*file)->read(0, std::as_writable_bytes(std::span(read)));
  ASSERT_TRUE(count);
  EXPECT_EQ(read.substr(0, *count), content);
  const auto across = (*file)->read(4000, std::as_writable_bytes(std::span(read)));
  ASSERT_TRUE(across);
  EXPECT_EQ(*across, 500u);
  EXPECT_EQ(*(*file)->read(4500, std::as_writable_bytes(std::span(read))), 0u);
  EXPECT_EQ(*(*file)->read(UINT64_MAX, std::as_writable_bytes(std::span(read))), 0u);
  const auto empty = image.tree->open(*image.find("/e"));
  ASSERT_TRUE(empty);
  EXPECT_EQ(*(*empty)->read(0, std::as_writable_bytes(std::span(read))), 0u);
  EXPECT_THAT(image.opener->opened, testing::IsEmpty());
}

TEST(ImageTree, OtherContentComesThroughTheOpener) {
  const Opened image(kRoot + "/f 65 100644 1 0 0 0 0.0 " + kPayload + " - " + kHex +
                     "\n/g 66 100644 1 0 0 0 0.0 some/where - -\n");
  ASSERT_TRUE(image.tree->open(*image.find("/f")));
  ASSERT_TRUE(image.tree->open(*image.find("/g")));
  EXPECT_THAT(image.opener->opened,
              testing::ElementsAre(kPayload + " " + kHex + " 65", "some/where - 66"));
  const auto directory = image.tree->open(image.tree->root());
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().kind(), ErrorKind::invalid_argument);
}

TEST(ImageTree, PayloadsThatNoKernelFollowsAreRefused) {
  for (const char* payload : {"/etc/shadow", "../x", "a/../b", "a//b", "a/", ".", "a/./b", "-"}) {
    const Opened image(kRoot + "/f 65 100644 1 0 0 0 0.0 " + payload + " - -\n");
    const auto refused = image.tree->open(*image.find("/f"));
    ASSERT_FALSE(refused) << payload;
    EXPECT_EQ(refused.error().kind(), ErrorKind::malformed) << payload;
    EXPECT_THAT(image.opener->opened, testing::IsEmpty());
  }
}

TEST(ImageTree, WhiteoutsAppearAsOverlayfsNestsThem) {
  const Opened image(kRoot + "/d 0 40755 2 0 0 0 0.0 - - -\n/d/w 0 20000 1 0 0 0 0.0 - - -\n");
  const auto whiteout = image.find("/d/w");
  ASSERT_TRUE(whiteout);
  EXPECT_EQ(image.tree->attributes(*whiteout)->mode, std::uint32_t{S_IFREG});
  EXPECT_TRUE(image.tree->get_xattr(*whiteout, "trusted.overlay.whiteout"));
  EXPECT_TRUE(image.tree->get_xattr(*whiteout, "user.overlay.whiteout"));
  EXPECT_EQ(*image.tree->get_xattr(*image.find("/d"), "trusted.overlay.opaque"), "x");
}

TEST(ImageTree, LargeDirectoriesListFromAnyCookie) {
  std::string dump = kRoot;
  for (int i = 0; i < 3000; ++i) dump += fmt::format("/name{:05d} 0 100644 1 0 0 0 0.0 - - -\n", i);
  const Opened image(dump);
  const auto whole = image.list(image.tree->root());
  EXPECT_EQ(whole.size(), 3000u);
  // In portions of seven, as a kernel with a small buffer asks.
  std::vector<std::string> names;
  std::uint64_t cookie = 0;
  for (std::size_t before = 1; before != names.size();) {
    before = names.size();
    int left = 7;
    ASSERT_TRUE(image.tree->list(image.tree->root(), cookie,
                                 [&](const tree::DirectoryEntry& entry, std::uint64_t next) {
                                   if (left-- == 0) return false;
                                   names.emplace_back(entry.name);
                                   cookie = next;
                                   return true;
                                 }));
  }
  EXPECT_EQ(names, whole);
  for (const std::string& name : whole) ASSERT_TRUE(image.find(name)) << name;
  EXPECT_FALSE(image.find("name03000"));
  EXPECT_FALSE(image.find("!"));
  EXPECT_FALSE(image.find("zzz"));
}

}  // namespace
}  // namespace intact::composefs
