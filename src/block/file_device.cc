#include <algorithm>
#include <array>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/block_claim.h>
#include <intact/base/file.h>
#include <intact/block/file_device.h>

namespace intact::block {
namespace {

constexpr std::size_t kLargeWrite = 128 << 10;  // bytes; smaller ones are better left to gather

Result<void> lock(int fd, int operation) {
  if (::flock(fd, operation | LOCK_NB) != 0 && errno == EWOULDBLOCK)
    return Error(ErrorKind::busy, "in use by another process");
  return {};  // some file systems have no locks
}

bool punch(int fd, std::uint64_t offset, std::uint64_t length) {
  return ::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                     static_cast<off_t>(length)) == 0;
}

/// Whether an error of punch() says that it cannot be done there. A block device has its own unit,
/// which may be larger than the sectors that it takes in writes by way of the page cache.
bool is_unsupported(int code, bool is_file) {
  return code == EOPNOTSUPP || code == ENOSYS || code == ENODEV || (code == EINVAL && !is_file);
}

}  // namespace

Result<std::unique_ptr<FileDevice>> FileDevice::open(const std::string& path, Access access) {
  // A FIFO that somebody put there is refused below; without O_NONBLOCK we would wait for its
  // writer.
  UniqueFd fd =
      TRY(access == Access::read_write ? open_unclaimed(path)
                                       : open_file(path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  if (access == Access::read_write) fd = TRY(claim_for_writing(std::move(fd)).context(path));
  return create_locked(std::move(fd), access).context(path);
}

Result<std::unique_ptr<FileDevice>> FileDevice::create_locked(UniqueFd fd, Access access) {
  TRY(lock(fd.get(), access == Access::read_write ? LOCK_EX : LOCK_SH));
  return create(std::move(fd), access);
}

Result<void> FileDevice::make_writable() {
  if (writable()) return {};
  UniqueFd fd(::open(fmt::format("/proc/self/fd/{}", fd_.get()).c_str(),
                     O_RDWR | (has_holes_ ? 0 : O_EXCL) | O_CLOEXEC));
  if (!fd && errno == EBUSY) return block_device_in_use();
  if (!fd) return Error::from_errno("cannot open it for writing", errno);
  // Locks belong to open files. The new one takes its own shared lock before the old one goes, and
  // the kernel converts that in one step: nobody gets in between.
  TRY(lock(fd.get(), LOCK_SH));
  fd_ = std::move(fd);
  TRY(lock(fd_.get(), LOCK_EX));
  access_ = Access::read_write;
  return {};
}

Result<std::unique_ptr<FileDevice>> FileDevice::create(UniqueFd fd, Access access) {
  struct stat st;
  if (::fstat(fd.get(), &st) != 0) return Error::from_errno("fstat", errno);
  if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
    return Error(ErrorKind::invalid_argument, "neither a regular file nor a block device");
  const std::uint64_t size = TRY(file_size(fd.get()));
  return std::unique_ptr<FileDevice>(
      new FileDevice(std::move(fd), size, access, S_ISREG(st.st_mode)));
}

Result<void> FileDevice::check_write(std::uint64_t offset, std::uint64_t length) const {
  if (!writable()) return read_only_error();
  return check_blocks(*this, offset, length);
}

Result<void> FileDevice::read(std::uint64_t offset, MutableByteSpan out) const {
  TRY(check_range(size_, offset, out.size()));
  return pread_exact(fd_.get(), offset, out);
}

Result<void> FileDevice::write(std::uint64_t offset, ByteSpan bytes) {
  TRY(check_write(offset, bytes.size()));
  TRY(pwrite_all(fd_.get(), offset, bytes));
  // Advice: the disk is set to work now, and the flush that comes has less to wait for. Errors are
  // the flush's to report.
  if (bytes.size() >= kLargeWrite)
    (void)::sync_file_range(fd_.get(), static_cast<off_t>(offset), static_cast<off_t>(bytes.size()),
                            SYNC_FILE_RANGE_WRITE);
  return {};
}

Result<void> FileDevice::flush() {
  if (writable() && ::fdatasync(fd_.get()) != 0) return Error::from_errno("fdatasync", errno);
  return {};
}

Result<void> FileDevice::extents(std::uint64_t offset, std::uint64_t length,
                                 const ExtentSink& sink) const {
  TRY(check_range(size_, offset, length));
  const std::uint64_t end = offset + length;
  /// The next place of data or of a hole.
  const auto next = [&](std::uint64_t from, int whence) {
    const off_t found = ::lseek(fd_.get(), static_cast<off_t>(from), whence);
    if (found >= 0) return std::clamp(static_cast<std::uint64_t>(found), from, end);
    // Without data up to its end. A file that has shrunk, or cannot tell, has to be read to see.
    struct stat st;
    const bool is_whole = errno == ENXIO && ::fstat(fd_.get(), &st) == 0 &&
                          static_cast<std::uint64_t>(st.st_size) >= size_;
    return is_whole || whence == SEEK_HOLE ? end : from;
  };
  if (!has_holes_) {
    if (length != 0) sink({.offset = offset, .length = length, .kind = ExtentKind::data});
    return {};
  }
  for (std::uint64_t at = offset; at < end;) {
    const std::uint64_t data = next(at, SEEK_DATA);
    const bool is_hole = data > at;
    const std::uint64_t stop = is_hole ? data : std::max(next(at, SEEK_HOLE), at + 1);
    if (!sink({.offset = at,
               .length = stop - at,
               .kind = is_hole ? ExtentKind::hole : ExtentKind::data}))
      return {};
    at = stop;
  }
  return {};
}

Result<void> FileDevice::discard(std::uint64_t offset, std::uint64_t length) {
  if (has_holes_) return zero(offset, length);
  TRY(check_write(offset, length));
  if (length == 0 || punch(fd_.get(), offset, length) || is_unsupported(errno, false)) return {};
  return Error::from_errno("fallocate", errno);
}

Result<void> FileDevice::zero(std::uint64_t offset, std::uint64_t length) {
  TRY(check_write(offset, length));
  if (length == 0 || punch(fd_.get(), offset, length)) return {};
  if (!is_unsupported(errno, has_holes_)) return Error::from_errno("fallocate", errno);
  static constexpr std::array<std::byte, 65536> zeros{};
  while (length > 0) {
    const std::uint64_t n = std::min<std::uint64_t>(length, zeros.size());
    TRY(pwrite_all(fd_.get(), offset, ByteSpan(zeros).first(n)));
    offset += n;
    length -= n;
  }
  return {};
}

}  // namespace intact::block
