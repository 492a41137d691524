#include <filesystem>

#include <gtest/gtest.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/grown_files.h>
#include <intact/block/device_files.h>

namespace intact::block {
namespace {

class DeviceFilesTest : public testing::Test {
 protected:
  std::string put(const std::string& name, std::string_view text) {
    EXPECT_TRUE(write_file_durably(dir_.path(name), as_bytes(text), 0644));
    return dir_.path(name);
  }

  TempDir dir_ = TempDir::create().value();
};

TEST_F(DeviceFilesTest, IsOneDeviceUnderAllItsNames) {
  const std::string file = put("file", "content");
  const std::string other = put("other", "content");
  ASSERT_EQ(::symlink("file", dir_.path("link").c_str()), 0);
  // One lock for writing: a second one would be refused.
  DeviceFiles files(Access::read_write);
  const auto device = files.open(file).value();
  EXPECT_EQ(files.open(dir_.path("link")).value(), device);
  EXPECT_EQ(files.open(dir_.path("./file")).value(), device);
  EXPECT_NE(files.open(other).value(), device);
  EXPECT_EQ(FileDevice::open(file, Access::read_only).error().kind(), ErrorKind::busy);
}

TEST_F(DeviceFilesTest, OpensAPathOnce) {
  const std::string file = put("file", "content");
  DeviceFiles files(Access::read_only);
  const auto device = files.open(file).value();
  std::filesystem::rename(file, dir_.path("moved"));
  put("file", "another file has the name now");
  EXPECT_EQ(files.open(file).value(), device);
  EXPECT_EQ(files.open(dir_.path("moved")).value(), device);
}

TEST_F(DeviceFilesTest, KnowsWhatWasOpenedElsewhere) {
  const std::string file = put("file", "content");
  const std::shared_ptr<FileDevice> device = FileDevice::open(file, Access::read_write).value();
  DeviceFiles files(Access::read_write);
  ASSERT_TRUE(files.add(device));
  EXPECT_EQ(files.open(file).value(), device);
}

TEST_F(DeviceFilesTest, UsesADescriptorUnderAnotherName) {
  GrownFiles grown;
  const int fd = grown.grow(dir_.path("hash"), 4096).value();
  put("hash", "another file has the name now");
  DeviceFiles files(Access::read_write);
  const auto device = files.open(dir_.path("hash"), duplicate_fd(fd).value()).value();
  EXPECT_TRUE(same_file(device->fd(), fd));
  EXPECT_EQ(files.open(dir_.path("hash")).value(), device);
}

TEST_F(DeviceFilesTest, CopiesADeviceIntoANewFile) {
  const auto source = FileDevice::open(put("file", "content"), Access::read_only).value();
  {
    GrownFiles made;
    const auto copy = copy_into_new(made, dir_.path("copy"), *source);
    ASSERT_TRUE(copy) << copy.error().message();
    EXPECT_EQ((*copy)->size(), 7u);
    EXPECT_TRUE((*copy)->writable());
    EXPECT_FALSE(std::filesystem::exists(dir_.path("copy")));
    ASSERT_TRUE(made.publish());
    made.keep();
  }
  EXPECT_EQ(as_text(read_file(dir_.path("copy"), 100).value()), "content");
  GrownFiles made;
  EXPECT_EQ(copy_into_new(made, dir_.path("copy"), *source).error().kind(), ErrorKind::exists);
}

TEST_F(DeviceFilesTest, RefusesWhatIsNoDevice) {
  DeviceFiles files(Access::read_only);
  EXPECT_EQ(files.open(dir_.path("absent")).error().kind(), ErrorKind::not_found);
  const auto directory = files.open(dir_.path());
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().kind(), ErrorKind::invalid_argument);
  EXPECT_NE(directory.error().message().find(dir_.path()), std::string::npos);
}

}  // namespace
}  // namespace intact::block
