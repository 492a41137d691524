#include "sparse.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/file.h>

namespace intact::run {
namespace {

/// Writes the content in pieces of that size and returns the 512-byte units that the file takes.
blkcnt_t write_in_pieces(const std::string& path, const Bytes& content, std::size_t piece) {
  const UniqueFd fd = *open_file(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  for (std::size_t at = 0; at < content.size(); at += piece) {
    const std::size_t count = std::min(piece, content.size() - at);
    EXPECT_TRUE(write_sparse(fd.get(), at, ByteSpan(content).subspan(at, count)));
  }
  EXPECT_EQ(::ftruncate(fd.get(), static_cast<off_t>(content.size())), 0);
  struct stat st;
  EXPECT_EQ(::fstat(fd.get(), &st), 0);
  return st.st_blocks;
}

TEST(Sparse, BlocksOfZerosStayHolesAndContentIsTheSame) {
  const TempDir dir = *TempDir::create();
  const std::string path = dir.path("file");
  Bytes content(1 << 20);
  content[5 * 4096 + 100] = std::byte{1};
  content[5 * 4096 + 4095] = std::byte{2};
  content[6 * 4096] = std::byte{3};
  content[200 * 4096 - 1] = std::byte{4};
  for (const std::size_t piece :
       {std::size_t{256} * 1024, std::size_t{4096}, std::size_t{1000}, content.size()}) {
    const blkcnt_t taken = write_in_pieces(path, content, piece);
    EXPECT_TRUE(*read_file(path, content.size()) == content) << piece;
    EXPECT_LE(taken, 16 * 8) << piece;
  }
  // A twin without zeros takes all of its space.
  EXPECT_GE(write_in_pieces(path, Bytes(1 << 20, std::byte{1}), 65536), 2048);
}

TEST(Sparse, SaysWhyItFails) {
  const UniqueFd full = *open_file("/dev/full", O_WRONLY);
  EXPECT_TRUE(write_sparse(full.get(), 0, Bytes(8192)));  // nothing to write
  const auto failed = write_sparse(full.get(), 0, Bytes(1, std::byte{1}));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().sys_errno(), ENOSPC);
}

}  // namespace
}  // namespace intact::run
