#include <cerrno>
#include <cstdint>
#include <cstdlib>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <intact/base/file.h>

namespace intact {
namespace {

using testing::HasSubstr;

TEST(DescriptorOf, KnowsThePathsThatStandForDescriptors) {
  EXPECT_EQ(descriptor_of("/dev/stdin"), 0);
  EXPECT_EQ(descriptor_of("/dev/stdout"), 1);
  EXPECT_EQ(descriptor_of("/dev/stderr"), 2);
  EXPECT_EQ(descriptor_of("/dev/fd/17"), 17);
  EXPECT_EQ(descriptor_of("/proc/self/fd/3"), 3);
  for (const char* other : {"/dev/null", "/dev/fd/", "/dev/fd/x", "/dev/fd/3x", "/dev/fd/-1",
                            "/dev/fd/99999999999", "dev/fd/3", "/proc/1/fd/3", ""})
    EXPECT_FALSE(descriptor_of(other)) << other;
}

TEST(DuplicateFd, TakesNoStandardDescriptor) {
  const UniqueFd copy = duplicate_fd(STDIN_FILENO).value();
  EXPECT_GT(copy.get(), STDERR_FILENO);
  EXPECT_NE(::fcntl(copy.get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(duplicate_fd(-1).error().sys_errno(), EBADF);
}

TEST(ReadFile, TakesTheLimitAndNotAByteMore) {
  const TempDir dir = TempDir::create().value();
  const std::string path = dir.path("file");
  ASSERT_TRUE(write_file_durably(path, Bytes(1000), 0600));
  EXPECT_EQ(read_file(path, 1000).value().size(), 1000u);
  EXPECT_EQ(read_file(path, UINT64_MAX).value().size(), 1000u);
  EXPECT_EQ(read_file(path, 999).error().kind(), ErrorKind::limit);
  EXPECT_EQ(read_file(path, 0).error().kind(), ErrorKind::limit);
}

TEST(UnnamedFile, IsInNoDirectoryAndNeverCalledNotFound) {
  const TempDir dir = TempDir::create().value();
  const UniqueFd file = unnamed_file_in(dir.path()).value();
  ASSERT_TRUE(pwrite_all(file.get(), 0, as_bytes("text")));
  EXPECT_EQ(file_size(file.get()).value(), 4u);
  EXPECT_EQ(::rmdir(dir.path().c_str()), 0);
  const auto missing = unnamed_file_in(dir.path("missing"));
  EXPECT_EQ(missing.error().kind(), ErrorKind::io);
  EXPECT_THAT(missing.error().message(), HasSubstr("temporary file: "));
}

TEST(Errors, AFullDiskIsNoEvidenceOfDamage) {
  for (const int error : {ENOSPC, EDQUOT, EFBIG, EMFILE, ENOMEM, EACCES})
    EXPECT_TRUE(Error::from_errno("x", error).concerns_caller()) << error;
  for (const int error : {EIO, ENOENT, ELOOP, 0})
    EXPECT_FALSE(Error(ErrorKind::io, "x", error).concerns_caller()) << error;
}

}  // namespace
}  // namespace intact
