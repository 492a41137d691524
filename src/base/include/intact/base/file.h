#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <sys/types.h>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/base/unique_fd.h>

namespace intact {

/// openat(2) with O_CLOEXEC. The error names the path.
Result<UniqueFd> open_at(int dir_fd, const std::string& path, int flags, mode_t mode = 0);
inline Result<UniqueFd> open_file(const std::string& path, int flags, mode_t mode = 0) {
  return open_at(AT_FDCWD, path, flags, mode);
}

/// The descriptor that a path stands for: /dev/stdin, /dev/stdout, /dev/stderr, /dev/fd/N or
/// /proc/self/fd/N, as shells pass `<(...)`. Nothing for other paths.
std::optional<int> descriptor_of(std::string_view path);

/// The descriptor of standard input, for an argument `-`. Only one argument of a command can be
/// read from there: later callers get invalid_argument, which names both. `what` says what is read
/// ("the key", "--password-file"). Safe to call from several threads.
Result<int> claim_standard_input(std::string_view what);

/// A second descriptor of the same open file, with O_CLOEXEC and never one of 0 to 2.
Result<UniqueFd> duplicate_fd(int fd);

/// Whether `path` leads to this open file, itself and not through a symbolic link.
bool is_file_at(const std::string& path, int fd);

/// Size in bytes of an open regular file or block device.
Result<std::uint64_t> file_size(int fd);

/// Opens for reading what others have put below a directory: a regular file; anything else is
/// malformed. Never blocks, as opening a FIFO would.
Result<UniqueFd> open_regular_at(int dir_fd, const std::string& path);

/// Reads up to `out.size()` bytes at byte `offset`; fewer only at the end of the file.
Result<std::size_t> pread_up_to(int fd, std::uint64_t offset, MutableByteSpan out);
/// Reads exactly `out.size()` bytes at byte `offset`; an earlier end of the file is an io error.
Result<void> pread_exact(int fd, std::uint64_t offset, MutableByteSpan out);
Result<void> pwrite_all(int fd, std::uint64_t offset, ByteSpan bytes);
/// Writes all of `bytes` at the file position (works for pipes and sockets).
Result<void> write_all(int fd, ByteSpan bytes);

/// The whole of a file of at most `limit` bytes (error kind limit beyond it).
Result<Bytes> read_file(const std::string& path, std::uint64_t limit);
Result<Bytes> read_fd(int fd, std::uint64_t limit);

/// Creates or replaces `path` so that readers see the old content or the new, never a mixture, even
/// after a crash: temporary file with a random name in the same directory, fsync, rename, fsync of
/// the directory. `mode` is exact (not subject to the umask). See output_file.h for files whose
/// path the user chose.
Result<void> write_file_durably(const std::string& path, ByteSpan bytes, mode_t mode);
Result<void> write_file_durably_at(int dir_fd, const std::string& path, ByteSpan bytes,
                                   mode_t mode);

/// mkdir -p for one path below `dir_fd`; existing directories are fine.
Result<void> make_directories(const std::string& path, mode_t mode = 0755);

/// A new file without a name, for reading and writing, on the file system of an open directory: it
/// is gone when its last descriptor is, and nobody else can open it.
Result<UniqueFd> unnamed_file(int directory);
/// The same in a directory of that path. All errors are of kind io, also when it does not exist.
Result<UniqueFd> unnamed_file_in(const std::string& directory);
/// The same where temporary files of any size belong: in $TMPDIR if it is set, otherwise in
/// /var/tmp, or in /tmp if that fails, which may be memory.
Result<UniqueFd> unnamed_temporary_file();

/// A fresh private directory (mode 0700), removed with all content on destruction. It never crosses
/// into a mounted file system: a mount left inside stays, and so does its directory.
class TempDir {
 public:
  static Result<TempDir> create(const std::string& parent = default_parent(),
                                std::string_view prefix = "intact-");
  static std::string default_parent();  ///< $TMPDIR, else /tmp

  TempDir(TempDir&&) noexcept;
  TempDir& operator=(TempDir&&) noexcept;
  ~TempDir();

  const std::string& path() const { return path_; }
  std::string path(std::string_view name) const { return path_ + "/" + std::string(name); }
  /// Keeps the directory; returns its path.
  std::string release();

 private:
  explicit TempDir(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

/// rm -r that does not follow symlinks or cross mounts. A missing path is fine.
Result<void> remove_tree(const std::string& path);

}  // namespace intact
