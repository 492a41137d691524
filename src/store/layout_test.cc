#include <sys/stat.h>

#include "test_images.h"

namespace intact::store {
namespace {

class OpenBeneath : public testing::Test {
 protected:
  OpenBeneath() {
    must(make_directories(dir_.path("in/sub")));
    must(write_file_durably(dir_.path("in/sub/file"), as_bytes("content"), 0644));
    must(write_file_durably(dir_.path("secret"), as_bytes("secret"), 0644));
    EXPECT_EQ(::symlink("file", dir_.path("in/sub/link").c_str()), 0);
    EXPECT_EQ(::symlink("sub", dir_.path("in/linked").c_str()), 0);
    EXPECT_EQ(::mkfifo(dir_.path("in/fifo").c_str(), 0644), 0);
    fd_ = must(open_file(dir_.path("in"), O_RDONLY | O_DIRECTORY));
  }
  TempDir dir_ = must(TempDir::create());
  UniqueFd fd_;
};

TEST_F(OpenBeneath, OpensFilesAndNothingThatLeadsAway) {
  for (auto* open : {&open_beneath, &walk_beneath}) {
    EXPECT_TRUE((*open)(fd_.get(), "sub/file", O_RDONLY));
    for (const char* path : {"sub/link", "linked/file", "../secret", "sub/../../secret",
                             "/etc/passwd", "", "sub/file/x", "sub/missing"})
      EXPECT_FALSE((*open)(fd_.get(), path, O_RDONLY)) << path;
    EXPECT_EQ((*open)(fd_.get(), "sub/missing", O_RDONLY).error().kind(), ErrorKind::not_found);
  }
}

TEST_F(OpenBeneath, DoesNotCrossIntoAnotherFileSystem) {
  const UniqueFd root = must(open_file("/", O_RDONLY | O_DIRECTORY));
  for (auto* open : {&open_beneath, &walk_beneath})
    EXPECT_FALSE((*open)(root.get(), "proc/self/status", O_RDONLY));
}

TEST_F(OpenBeneath, TakesRegularFilesOnly) {
  EXPECT_TRUE(open_regular(fd_.get(), "sub/file"));
  EXPECT_ERROR(malformed, open_regular(fd_.get(), "fifo"));
  EXPECT_ERROR(malformed, open_regular(fd_.get(), "sub"));
}

TEST(Layout, ObjectPathsAreThoseOfComposefs) {
  const Digest digest = verity_digest("x");
  EXPECT_EQ(object_path(digest), digest.hex().substr(0, 2) + "/" + digest.hex().substr(2));
  EXPECT_EQ(parse_object_path(object_path(digest)), digest);
  std::string upper = object_path(digest);
  for (char& c : upper) c = static_cast<char>(::toupper(c));
  for (const std::string& path : {upper, digest.hex(), object_path(digest) + "0", std::string(),
                                  "../" + digest.hex().substr(3)})
    EXPECT_FALSE(parse_object_path(path)) << path;
}

TEST(Layout, LeaseNamesTellTheImage) {
  const Digest digest = verity_digest("x");
  EXPECT_EQ(parse_lease_name(lease_name(digest)), digest);
  EXPECT_NE(lease_name(digest), lease_name(digest));
  EXPECT_FALSE(parse_lease_name("x.json"));
  EXPECT_EQ(parse_lease_name(mount_lease_name(digest)), digest);
  EXPECT_TRUE(is_mount_lease_name(mount_lease_name(digest)));
  EXPECT_FALSE(is_mount_lease_name(lease_name(digest)));
}

}  // namespace
}  // namespace intact::store
