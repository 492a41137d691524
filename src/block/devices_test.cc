#include <filesystem>
#include <numeric>
#include <random>

#include <gtest/gtest.h>

#include <intact/base/file.h>
#include <intact/block/file_device.h>
#include <intact/block/linear_target.h>
#include <intact/block/memory_device.h>

namespace intact::block {
namespace {

Bytes pattern(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 7 + i / 251);
  return bytes;
}

Bytes read(const Device& target, std::uint64_t offset, std::size_t length) {
  Bytes out(length);
  const auto result = target.read(offset, out);
  EXPECT_TRUE(result) << result.error().message();
  return out;
}

Result<std::unique_ptr<FileDevice>> file_device(const TempDir& dir, const Bytes& content) {
  const std::string path = dir.path("disk");
  TRY(write_file_durably(path, content, 0600));
  return FileDevice::open(path, Access::read_write);
}

TEST(FileDevice, KeepsWhatIsWritten) {
  const auto dir = *TempDir::create();
  Bytes model = pattern(8192);
  auto target = *file_device(dir, model);
  EXPECT_EQ(target->size(), 8192u);
  EXPECT_EQ(read(*target, 1000, 3000), Bytes(model.begin() + 1000, model.begin() + 4000));

  const Bytes news(1024, std::byte{9});
  ASSERT_TRUE(target->write(512, news));
  std::copy(news.begin(), news.end(), model.begin() + 512);
  ASSERT_TRUE(target->zero(4096, 2048));
  std::fill_n(model.begin() + 4096, 2048, std::byte{0});
  ASSERT_TRUE(target->discard(7680, 512));
  std::fill_n(model.begin() + 7680, 512, std::byte{0});
  ASSERT_TRUE(target->flush());
  EXPECT_EQ(read(*target, 0, 8192), model);
  EXPECT_EQ(target->size(), 8192u);
}

TEST(FileDevice, RefusesWhatLiesBeyondTheEndOrIsNotWholeBlocks) {
  const auto dir = *TempDir::create();
  auto target = *file_device(dir, pattern(1024));
  Bytes buffer(512);
  EXPECT_TRUE(target->read(512, buffer));
  EXPECT_EQ(target->read(513, buffer).error().kind(), ErrorKind::malformed);
  EXPECT_EQ(target->read(UINT64_MAX, buffer).error().kind(), ErrorKind::malformed);
  EXPECT_TRUE(target->write(512, buffer));
  EXPECT_EQ(target->write(1024, buffer).error().kind(), ErrorKind::malformed);
  EXPECT_EQ(target->write(256, buffer).error().kind(), ErrorKind::invalid_argument);
  EXPECT_EQ(target->zero(0, 100).error().kind(), ErrorKind::invalid_argument);
}

TEST(FileDevice, HasOneWriterOrManyReaders) {
  const auto dir = *TempDir::create();
  {
    auto first = *file_device(dir, pattern(512));
  }
  const std::string path = dir.path("disk");
  {
    const auto reader = FileDevice::open(path, Access::read_only);
    ASSERT_TRUE(reader);
    EXPECT_TRUE(FileDevice::open(path, Access::read_only));
    EXPECT_EQ(FileDevice::open(path, Access::read_write).error().kind(), ErrorKind::busy);
    const auto& target = *reader;
    EXPECT_EQ(target->write(0, Bytes(512)).error().kind(), ErrorKind::invalid_argument);
  }
  const auto writer = FileDevice::open(path, Access::read_write);
  ASSERT_TRUE(writer);
  EXPECT_EQ(FileDevice::open(path, Access::read_only).error().kind(), ErrorKind::busy);
}

TEST(FileDevice, BecomesWritableAsTheFileThatWasOpened) {
  const auto dir = *TempDir::create();
  const std::string path = dir.path("disk");
  ASSERT_TRUE(write_file_durably(path, pattern(1024), 0600));
  auto target = *FileDevice::open(path, Access::read_only);
  // Another file takes its name meanwhile.
  ASSERT_TRUE(write_file_durably(dir.path("other"), Bytes(1024), 0600));
  std::filesystem::rename(path, dir.path("first"));
  std::filesystem::rename(dir.path("other"), path);
  ASSERT_TRUE(target->make_writable());
  EXPECT_TRUE(target->writable());
  ASSERT_TRUE(target->write(512, Bytes(512, std::byte{9})));
  EXPECT_EQ(read(*target, 0, 512), pattern(512));
  EXPECT_EQ(*read_file(path, 4096), Bytes(1024)) << "the file that took the name was written";
  EXPECT_EQ((*read_file(dir.path("first"), 4096))[600], std::byte{9});
  EXPECT_EQ(FileDevice::open(dir.path("first"), Access::read_only).error().kind(), ErrorKind::busy);
  EXPECT_TRUE(FileDevice::open(path, Access::read_only));
}

TEST(FileDevice, IsNotMadeWritableBesideOthers) {
  const auto dir = *TempDir::create();
  const std::string path = dir.path("disk");
  ASSERT_TRUE(write_file_durably(path, pattern(512), 0600));
  auto target = *FileDevice::open(path, Access::read_only);
  {
    const auto reader = FileDevice::open(path, Access::read_only);
    ASSERT_TRUE(reader);
    EXPECT_EQ(target->make_writable().error().kind(), ErrorKind::busy);
    EXPECT_FALSE(target->writable());
  }
  target = *FileDevice::open(path, Access::read_only);
  EXPECT_TRUE(target->make_writable());
  EXPECT_TRUE(target->make_writable()) << "a second time";
}

TEST(FileDevice, IsNoDirectory) {
  const auto dir = *TempDir::create();
  EXPECT_EQ(FileDevice::open(dir.path(), Access::read_only).error().kind(),
            ErrorKind::invalid_argument);
}

TEST(LinearTarget, IsAWindow) {
  auto lower = std::make_shared<MemoryDevice>(pattern(4096));
  auto slice = *LinearTarget::open(lower, {.offset = 1000, .length = 500});
  EXPECT_EQ(read(*slice, 10, 490), read(*lower, 1010, 490));
  Bytes one(1);
  EXPECT_FALSE(slice->read(500, one));
  EXPECT_TRUE(slice->write(499, Bytes(1, std::byte{42})));
  EXPECT_EQ(read(*lower, 1499, 1)[0], std::byte{42});
  EXPECT_FALSE(slice->write(499, Bytes(2)));
  EXPECT_FALSE(LinearTarget::open(lower, {.offset = 4000, .length = 97}));
  EXPECT_FALSE(LinearTarget::open(lower, {.offset = UINT64_MAX, .length = 2}));
}

TEST(ConcatTarget, BehavesAsItsPartsOneBehindTheOther) {
  std::mt19937 random(7);
  std::vector<std::shared_ptr<Device>> parts;
  Bytes model;
  for (const std::size_t size : {100, 1, 0, 4000, 300}) {
    const Bytes part = pattern(size);
    model.insert(model.end(), part.begin(), part.end());
    parts.push_back(std::make_unique<MemoryDevice>(part));
  }
  auto target = *ConcatTarget::open(std::move(parts));
  ASSERT_EQ(target->size(), model.size());
  for (int i = 0; i < 500; ++i) {
    const std::size_t offset = random() % (model.size() + 1);
    const std::size_t length = random() % (model.size() - offset + 1);
    if (i % 3 == 0) {
      const Bytes news(length, static_cast<std::byte>(random()));
      ASSERT_TRUE(target->write(offset, news));
      std::copy(news.begin(), news.end(), model.begin() + static_cast<std::ptrdiff_t>(offset));
    } else if (i % 3 == 1) {
      ASSERT_TRUE(target->zero(offset, length));
      std::fill_n(model.begin() + static_cast<std::ptrdiff_t>(offset), length, std::byte{0});
    }
    ASSERT_EQ(read(*target, 0, model.size()), model);
  }
}

TEST(ConcatTarget, WritesOnlyWhereAllPartsDo) {
  std::vector<std::shared_ptr<Device>> parts;
  parts.push_back(std::make_unique<MemoryDevice>(pattern(16)));
  parts.push_back(std::make_unique<ZeroDevice>(16));
  auto target = *ConcatTarget::open(std::move(parts));
  EXPECT_FALSE(target->writable());
  EXPECT_EQ(read(*target, 16, 16), Bytes(16));
  EXPECT_FALSE(ConcatTarget::open({}));
}

std::vector<Extent> extents_of(const Device& device) {
  std::vector<Extent> extents;
  EXPECT_TRUE(for_each_extent(device, [&](const Extent& extent) {
    extents.push_back(extent);
    return true;
  }));
  return extents;
}

TEST(Extents, AreTheHolesOfAFile) {
  const auto dir = *TempDir::create();
  constexpr std::size_t kPart = 1 << 16;
  auto target = *file_device(dir, pattern(4 * kPart));
  const std::string path = dir.path("disk");
  EXPECT_EQ(extents_of(*target), (std::vector<Extent>{{0, 4 * kPart, ExtentKind::data}}));
  ASSERT_TRUE(target->discard(kPart, kPart));
  ASSERT_TRUE(target->discard(3 * kPart, kPart));
  EXPECT_EQ(extents_of(*target), (std::vector<Extent>{{0, kPart, ExtentKind::data},
                                                      {kPart, kPart, ExtentKind::hole},
                                                      {2 * kPart, kPart, ExtentKind::data},
                                                      {3 * kPart, kPart, ExtentKind::hole}}));
  // A file that has lost its end must be read, which fails.
  std::filesystem::resize_file(path, 2 * kPart);
  EXPECT_EQ(extents_of(*target).back().kind, ExtentKind::data);
  Bytes out(512);
  EXPECT_FALSE(target->read(3 * kPart, out));
}

TEST(Extents, AreThoseOfTheParts) {
  std::vector<std::shared_ptr<Device>> parts;
  parts.push_back(std::make_shared<ZeroDevice>(100));
  parts.push_back(std::make_shared<MemoryDevice>(pattern(50)));
  parts.push_back(std::make_shared<MemoryDevice>(pattern(50)));
  parts.push_back(
      *LinearTarget::open(std::make_shared<ZeroDevice>(100), {.offset = 60, .length = 40}));
  const auto target = *ConcatTarget::open(std::move(parts));
  EXPECT_EQ(extents_of(*target), (std::vector<Extent>{{0, 100, ExtentKind::hole},
                                                      {100, 100, ExtentKind::data},
                                                      {200, 40, ExtentKind::hole}}));
}

TEST(ConcatTarget, IsWholeBlocksWhereItIsWritten) {
  const auto dir = *TempDir::create();
  std::vector<std::shared_ptr<Device>> parts;
  parts.push_back(*file_device(dir, pattern(1024)));
  parts.push_back(std::make_shared<MemoryDevice>(pattern(100)));
  EXPECT_FALSE(ConcatTarget::open(parts));
  parts.back() = std::make_shared<ZeroDevice>(100);
  EXPECT_TRUE(ConcatTarget::open(parts)) << "it is only read";
}

}  // namespace
}  // namespace intact::block
