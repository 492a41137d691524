#pragma once

// Shared by the tests of this room.

#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>

#include <intact/base/file.h>

namespace intact::fsverity {

/// The content of the golden vectors: byte i is (7 * i + (i >> 8)) & 255.
inline Bytes pattern(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(7 * i + (i >> 8));
  return bytes;
}

/// A file with content that tests damage behind the reader's back.
class ContentFile {
 public:
  explicit ContentFile(ByteSpan content) : dir_(TempDir::create().value()) {
    fd_ = open_file(path(), O_RDWR | O_CREAT, 0600).value();
    pwrite_all(fd_.get(), 0, content).value();
  }

  std::string path() const { return dir_.path("content"); }
  int fd() const { return fd_.get(); }
  UniqueFd open() const { return open_file(path(), O_RDONLY).value(); }

  void flip(std::uint64_t byte, unsigned bit = 0) {
    std::byte value;
    pread_exact(fd_.get(), byte, {&value, 1}).value();
    value ^= static_cast<std::byte>(1u << bit);
    pwrite_all(fd_.get(), byte, {&value, 1}).value();
  }
  void resize(std::uint64_t size) {
    ASSERT_EQ(::ftruncate(fd_.get(), static_cast<off_t>(size)), 0);
  }

 private:
  TempDir dir_;
  UniqueFd fd_;
};

}  // namespace intact::fsverity
