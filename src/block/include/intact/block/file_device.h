#pragma once

#include <memory>
#include <string>

#include <intact/base/unique_fd.h>
#include <intact/block/device.h>

namespace intact::block {

enum class Access { read_only, read_write };

/// A regular file or a block device. Its size is read once, when it is opened. Thread-safe.
///
/// discard() returns the space to the file system; zero() does so where possible and writes zeros
/// otherwise. Both leave zeros in a regular file.
class FileDevice final : public Device {
 public:
  /// Opens and locks a file: shared for reading, exclusively for writing. The lock is advisory and
  /// lasts as long as the descriptor is open in any process. invalid_argument: neither a regular
  /// file nor a block device; busy: the lock conflicts with that of another process.
  static Result<std::unique_ptr<FileDevice>> open(const std::string& path, Access access);
  /// The same for a descriptor that is open for this access.
  static Result<std::unique_ptr<FileDevice>> create_locked(UniqueFd fd, Access access);
  /// Takes ownership of a descriptor as it is, without a lock.
  static Result<std::unique_ptr<FileDevice>> create(UniqueFd fd, Access access);

  /// Reopens the file, which must be locked for reading, for writing. It stays the same file,
  /// whatever its path leads to by now, and it is locked at every moment. busy: another process has
  /// it locked too; the target then stays readable, but without a lock. Not thread-safe: fd()
  /// changes.
  Result<void> make_writable() override;

  std::uint64_t size() const override { return size_; }
  Limits limits() const override { return {.writable = access_ == Access::read_write}; }
  int fd() const { return fd_.get(); }

  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override;
  Result<void> write(std::uint64_t offset, ByteSpan bytes) override;
  Result<void> flush() override;
  Result<void> discard(std::uint64_t offset, std::uint64_t length) override;
  Result<void> zero(std::uint64_t offset, std::uint64_t length) override;
  /// The holes of a sparse file. What a block device has discarded is data.
  Result<void> extents(std::uint64_t offset, std::uint64_t length,
                       const ExtentSink& sink) const override;

 private:
  FileDevice(UniqueFd fd, std::uint64_t size, Access access, bool has_holes)
      : fd_(std::move(fd)), size_(size), access_(access), has_holes_(has_holes) {}
  Result<void> check_write(std::uint64_t offset, std::uint64_t length) const;

  UniqueFd fd_;
  std::uint64_t size_;
  Access access_;
  bool has_holes_;  // may have: it is a regular file
};

}  // namespace intact::block
