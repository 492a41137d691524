#pragma once

#include <memory>
#include <string>

#include <intact/base/unique_fd.h>
#include <intact/block/target.h>

namespace intact::block {

enum class Access { read_only, read_write };

/// A regular file or a block device. Its size is taken once, at open. Thread-safe.
///
/// discard() gives the space back to the file system; zero() does so where it can and else writes
/// zeros. Both leave zeros in a regular file.
class FileTarget final : public BlockTarget {
 public:
  /// Not a file or block device: invalid_argument. Another process has it open here for writing, or
  /// this one wants to write what another has open: busy (advisory: among users of Intact).
  static Result<std::unique_ptr<FileTarget>> open(const std::string& path, Access access);
  /// Takes a descriptor as it is, without a lock.
  static Result<std::unique_ptr<FileTarget>> create(UniqueFd fd, Access access);

  std::uint64_t size() const override { return size_; }
  bool writable() const override { return access_ == Access::read_write; }
  std::uint32_t block_size() const override { return 512; }
  int fd() const { return fd_.get(); }

  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override;
  Result<void> write(std::uint64_t offset, ByteSpan bytes) override;
  Result<void> flush() override;
  Result<void> discard(std::uint64_t offset, std::uint64_t length) override;
  Result<void> zero(std::uint64_t offset, std::uint64_t length) override;

 private:
  FileTarget(UniqueFd fd, std::uint64_t size, Access access)
      : fd_(std::move(fd)), size_(size), access_(access) {}
  Result<void> check_write(std::uint64_t offset, std::uint64_t length) const;

  UniqueFd fd_;
  std::uint64_t size_;
  Access access_;
};

}  // namespace intact::block
