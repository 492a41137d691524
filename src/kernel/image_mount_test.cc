#include <cstdlib>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/mount.h>
#include <intact/fsverity/measure.h>
#include <intact/kernel/image_mount.h>

namespace intact::kernel {
namespace {

/// Of the mount on `path`, or below it.
int number_of(const std::string& path) {
  return mount_number(open_file(path, O_PATH).value().get()).value();
}

/// A composefs image whose kernel can mount it: tests/vm makes one and says where.
class ImageMountTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* image = std::getenv("INTACT_TEST_IMAGE");
    const char* objects = std::getenv("INTACT_TEST_OBJECTS");
    if (image == nullptr || objects == nullptr)
      GTEST_SKIP() << "needs a kernel with fs-verity: tests/vm runs this";
    image_ = *open_file(image, O_RDONLY);
    objects_ = *open_file(objects, O_RDONLY | O_DIRECTORY);
    layers_ = {.image = image_.get(),
               .digest = **fsverity::measure_file(image_.get()),
               .objects = {objects_.get()}};
  }

  /// What /usr/share/same and its twin, which share an object, are like in that image.
  static void expect_readable(const std::string& root) {
    const auto same = read_file(root + "/usr/share/same", 1 << 20);
    ASSERT_TRUE(same) << same.error().message();
    EXPECT_EQ(same->size(), 100000u);
    EXPECT_EQ(*same, *read_file(root + "/usr/share/same-content", 1 << 20));
  }

  UniqueFd image_, objects_;
  ImageLayers layers_;
};

TEST_F(ImageMountTest, MountsInTheWaysOfNewAndOldKernels) {
  for (const bool file_backed : {true, false}) {
    for (const bool layer_options : {true, false}) {
      auto mount = ImageMount::create(layers_, {.source = "test",
                                                .use_file_backed_erofs = file_backed,
                                                .use_layer_options = layer_options});
      ASSERT_TRUE(mount) << mount.error().message();
      const TempDir dir = *TempDir::create();
      const auto attached = mount->attach(dir.path());
      ASSERT_TRUE(attached) << attached.error().message();
      expect_readable(dir.path());
      EXPECT_TRUE(detach_image_mount(dir.path(), number_of(dir.path()), false));
      EXPECT_EQ(::access(dir.path("usr").c_str(), F_OK), -1);
    }
  }
}

TEST_F(ImageMountTest, LooksThroughObjectDirectoriesInOrder) {
  const TempDir empty = *TempDir::create();
  const UniqueFd first = *open_file(empty.path(), O_RDONLY | O_DIRECTORY);
  layers_.objects.insert(layers_.objects.begin(), first.get());
  auto mount = ImageMount::create(layers_, {.source = "test"});
  ASSERT_TRUE(mount) << mount.error().message();
  const TempDir dir = *TempDir::create();
  ASSERT_TRUE(mount->attach(dir.path()));
  expect_readable(dir.path());
  EXPECT_TRUE(detach_image_mount(dir.path(), number_of(dir.path()), false));
}

TEST_F(ImageMountTest, RefusesAnImageOfAnotherDigest) {
  Bytes bytes(32);
  layers_.digest = Digest(HashAlgorithm::sha256, bytes);
  const auto mount = ImageMount::create(layers_, {.source = "test"});
  ASSERT_FALSE(mount);
  EXPECT_EQ(mount.error().kind(), ErrorKind::tampered) << mount.error().message();
}

TEST_F(ImageMountTest, LeavesNothingWhenTheDirectoryIsNone) {
  auto mount = ImageMount::create(layers_, {.source = "test"});
  ASSERT_TRUE(mount) << mount.error().message();
  const TempDir dir = *TempDir::create();
  const auto nowhere = mount->attach(dir.path("nowhere"));
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().kind(), ErrorKind::not_found);
  ASSERT_TRUE(write_file_durably(dir.path("file"), {}, 0600));
  const auto file = mount->attach(dir.path("file"));
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().kind(), ErrorKind::invalid_argument);
}

TEST(ImageMount, RefusesAnImageWithoutFsVerity) {
  const TempDir dir = *TempDir::create();
  ASSERT_TRUE(write_file_durably(dir.path("image"), as_bytes("any"), 0600));
  const UniqueFd image = *open_file(dir.path("image"), O_RDONLY);
  const auto measured = fsverity::measure_file(image.get());
  ASSERT_TRUE(measured) << measured.error().message();
  EXPECT_FALSE(*measured);
  const auto mount = ImageMount::create({.image = image.get()}, {.source = "test"});
  ASSERT_FALSE(mount);
  EXPECT_EQ(mount.error().kind(), ErrorKind::unsupported);
  EXPECT_NE(mount.error().message().find("no fs-verity"), std::string::npos);
}

}  // namespace
}  // namespace intact::kernel
