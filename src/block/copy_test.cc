#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/block/device_files.h>

namespace intact::block {
namespace {

/// Content with a long run of zeros, of which one byte may be unreadable.
class Source final : public ReadOnlyDevice {
 public:
  Source(std::size_t size, std::size_t bad) : bytes_(size), bad_(bad) {
    for (std::size_t i = 0; i < size; ++i)
      if (i < size / 4 || i >= size - size / 4) bytes_[i] = static_cast<std::byte>(i * 7 + i / 256);
  }
  std::uint64_t size() const override { return bytes_.size(); }
  Limits limits() const override { return {}; }
  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override {
    if (bad_ >= offset && bad_ < offset + out.size())
      return Error(ErrorKind::tampered, "bad block");
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
    return {};
  }
  const Bytes& bytes() const { return bytes_; }

 private:
  Bytes bytes_;
  std::size_t bad_;
};

constexpr std::size_t kNowhere = SIZE_MAX;

TEST(Copy, WritesAllBytesAndLeavesZerosOut) {
  const TempDir dir = TempDir::create().value();
  for (const std::size_t size : {1, 4095, 4096, 4097, (1 << 20) - 1, (8 << 20) + 513}) {
    const Source source(size, kNowhere);
    const std::string path = dir.path(std::to_string(size));
    ASSERT_TRUE(copy_to_new_file(source, path)) << size;
    EXPECT_EQ(read_file(path, 1 << 24).value(), source.bytes()) << size;
  }
  struct stat status;
  ASSERT_EQ(::stat(dir.path(std::to_string((8 << 20) + 513)).c_str(), &status), 0);
  EXPECT_LT(status.st_blocks * 512, 6 << 20) << "half of it is a hole";
}

TEST(Copy, LeavesNoFileWhenAByteIsBad) {
  const TempDir dir = TempDir::create().value();
  const std::string path = dir.path("out");
  for (const std::size_t bad : {std::size_t{0}, std::size_t{5000000}, std::size_t{(8 << 20) - 1}}) {
    const auto copied = copy_to_new_file(Source(8 << 20, bad), path);
    ASSERT_FALSE(copied);
    EXPECT_EQ(copied.error().kind(), ErrorKind::tampered);
    EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
  }
  EXPECT_TRUE(copy_to_new_file(Source(8 << 20, kNowhere), path));
}

TEST(Copy, FillsOnlyEmptyFiles) {
  const TempDir dir = TempDir::create().value();
  const Source source(8 << 20, kNowhere);
  const std::string path = dir.path("out");
  const UniqueFd fd = open_file(path, O_RDWR | O_CREAT | O_EXCL, 0600).value();
  ASSERT_TRUE(copy_into(source, fd.get()));
  EXPECT_EQ(read_file(path, 1 << 24).value(), source.bytes());
  // What is there would show through where there are zeros.
  EXPECT_EQ(copy_into(source, fd.get()).error().kind(), ErrorKind::invalid_argument);
  EXPECT_EQ(copy_to_new_file(source, "/dev/fd/" + std::to_string(fd.get())).error().kind(),
            ErrorKind::invalid_argument);
  const UniqueFd log = open_file(dir.path("log"), O_WRONLY | O_CREAT | O_APPEND, 0600).value();
  EXPECT_EQ(copy_into(source, log.get()).error().kind(), ErrorKind::invalid_argument);
  EXPECT_EQ(read_file(path, 1 << 24).value(), source.bytes());
}

TEST(Copy, GoesIntoAPipeInOrderAndEndsBeforeABadByte) {
  const TempDir dir = TempDir::create().value();
  for (const std::size_t bad : {kNowhere, std::size_t{5000000}}) {
    const std::string path = dir.path(std::to_string(bad));
    // Whatever has no place to seek to gets the bytes like this.
    const UniqueFd out = open_file(path, O_WRONLY | O_CREAT | O_APPEND, 0600).value();
    const Source source(8 << 20, bad);
    EXPECT_EQ(copy_in_order(source, out.get()).has_value(), bad == kNowhere);
    Bytes expected = source.bytes();
    if (bad != kNowhere) expected.resize(4 << 20);  // whole pieces of 1 MiB
    EXPECT_EQ(read_file(path, 1 << 24).value(), expected);
  }
}

TEST(Copy, OverwritesNothing) {
  const TempDir dir = TempDir::create().value();
  const std::string path = dir.path("out");
  ASSERT_TRUE(write_file_durably(path, as_bytes("precious"), 0600));
  const auto copied = copy_to_new_file(Source(4096, kNowhere), path);
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error().kind(), ErrorKind::exists);
  EXPECT_EQ(as_text(read_file(path, 100).value()), "precious");
}

}  // namespace
}  // namespace intact::block
