#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include <dirent.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <intact/base/file.h>
#include <intact/base/output_file.h>
#include <intact/base/text.h>

namespace intact {

Result<UniqueFd> open_at(int dir_fd, const std::string& path, int flags, mode_t mode) {
  for (;;) {
    UniqueFd fd(::openat(dir_fd, path.c_str(), flags | O_CLOEXEC, mode));
    if (fd) return fd;
    if (errno != EINTR) return Error::from_errno(path, errno);
  }
}

std::optional<int> descriptor_of(std::string_view path) {
  if (path == "/dev/stdin") return STDIN_FILENO;
  if (path == "/dev/stdout") return STDOUT_FILENO;
  if (path == "/dev/stderr") return STDERR_FILENO;
  for (const std::string_view prefix : {"/dev/fd/", "/proc/self/fd/"}) {
    if (!path.starts_with(prefix)) continue;
    const auto fd = whole_number<int>(path.substr(prefix.size()));
    if (fd && *fd >= 0) return fd;
  }
  return std::nullopt;
}

Result<UniqueFd> duplicate_fd(int fd) {
  UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  if (!copy) return Error::from_errno("cannot duplicate descriptor " + std::to_string(fd), errno);
  return copy;
}

bool is_file_at(const std::string& path, int fd) {
  struct stat ours;
  struct stat there;
  return ::fstat(fd, &ours) == 0 && ::lstat(path.c_str(), &there) == 0 &&
         ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

Result<UniqueFd> open_regular_at(int dir_fd, const std::string& path) {
  UniqueFd fd = TRY(open_at(dir_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  struct stat st;
  if (::fstat(fd.get(), &st) != 0) return Error::from_errno(path, errno);
  if (!S_ISREG(st.st_mode)) return Error(ErrorKind::malformed, path + ": not a regular file");
  return fd;
}

Result<std::uint64_t> file_size(int fd) {
  struct stat st;
  if (::fstat(fd, &st) != 0) return Error::from_errno("fstat", errno);
  if (S_ISBLK(st.st_mode)) {
    std::uint64_t size = 0;
    if (::ioctl(fd, BLKGETSIZE64, &size) != 0)
      return Error::from_errno("size of the block device", errno);
    return size;
  }
  if (!S_ISREG(st.st_mode))
    return Error(ErrorKind::invalid_argument, "not a regular file or block device");
  return static_cast<std::uint64_t>(st.st_size);
}

Result<std::size_t> pread_up_to(int fd, std::uint64_t offset, MutableByteSpan out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t n =
        ::pread(fd, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error::from_errno("read", errno);
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

Result<void> pread_exact(int fd, std::uint64_t offset, MutableByteSpan out) {
  if (TRY(pread_up_to(fd, offset, out)) != out.size())
    return Error(ErrorKind::io, "the file ends before byte " + std::to_string(offset + out.size()));
  return {};
}

Result<void> pwrite_all(int fd, std::uint64_t offset, ByteSpan bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n =
        ::pwrite(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error::from_errno("write", errno);
    done += static_cast<std::size_t>(n);
  }
  return {};
}

Result<void> write_all(int fd, ByteSpan bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error::from_errno("write", errno);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

Result<Bytes> read_fd(int fd, std::uint64_t limit) {
  Bytes bytes;
  constexpr std::size_t kStep = 256 * 1024;
  for (;;) {
    const std::size_t old = bytes.size();
    // One byte more than allowed is requested, so that a file that is too large is not cut off.
    const std::size_t want =
        static_cast<std::size_t>(std::min<std::uint64_t>(kStep - 1, limit - old) + 1);
    bytes.resize(old + want);
    ssize_t n;
    do {
      n = ::read(fd, bytes.data() + old, want);
    } while (n < 0 && errno == EINTR);
    if (n < 0) return Error::from_errno("read", errno);
    bytes.resize(old + static_cast<std::size_t>(n));
    if (n == 0) return bytes;
    if (bytes.size() > limit)
      return Error(ErrorKind::limit,
                   "larger than the limit of " + std::to_string(limit) + " bytes");
  }
}

Result<Bytes> read_file(const std::string& path, std::uint64_t limit) {
  const UniqueFd fd = TRY(open_file(path, O_RDONLY));
  return read_fd(fd.get(), limit).context(path);
}

Result<void> write_file_durably(const std::string& path, ByteSpan bytes, mode_t mode) {
  return write_file_durably_at(AT_FDCWD, path, bytes, mode);
}

Result<void> write_file_durably_at(int dir_fd, const std::string& path, ByteSpan bytes,
                                   mode_t mode) {
  const std::size_t slash = path.rfind('/');
  const std::string parent =
      slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  const UniqueFd dir = TRY(open_at(dir_fd, parent, O_RDONLY | O_DIRECTORY));
  const std::string temp = random_name("." + name + ".tmp");
  const UniqueFd fd =
      TRY(open_at(dir.get(), temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode).context(path));
  auto written = [&]() -> Result<void> {
    TRY(write_all(fd.get(), bytes));
    if (::fchmod(fd.get(), mode) != 0) return Error::from_errno("chmod", errno);
    if (::fsync(fd.get()) != 0) return Error::from_errno("fsync", errno);
    if (::renameat(dir.get(), temp.c_str(), dir.get(), name.c_str()) != 0)
      return Error::from_errno("rename", errno);
    return {};
  }();
  if (!written) {
    ::unlinkat(dir.get(), temp.c_str(), 0);
    return std::move(written).context(path);
  }
  if (::fsync(dir.get()) != 0) return Error::from_errno("fsync of " + parent, errno);
  return {};
}

Result<void> make_directories(const std::string& path, mode_t mode) {
  for (std::size_t end = 1; end <= path.size(); ++end) {
    if (end != path.size() && path[end] != '/') continue;
    const std::string part = path.substr(0, end);
    if (::mkdir(part.c_str(), mode) == 0 || errno == EEXIST) continue;
    // A parent that we may not write but that exists answers EROFS or EACCES on some file systems.
    struct stat st;
    const int saved = errno;
    if (::stat(part.c_str(), &st) == 0 && S_ISDIR(st.st_mode)) continue;
    return Error::from_errno(part, saved);
  }
  struct stat st;
  if (::stat(path.c_str(), &st) != 0) return Error::from_errno(path, errno);
  if (!S_ISDIR(st.st_mode)) return Error::from_errno(path, ENOTDIR);
  return {};
}

std::string TempDir::default_parent() {
  const char* dir = ::secure_getenv("TMPDIR");
  return dir && *dir ? dir : "/tmp";
}

Result<TempDir> TempDir::create(const std::string& parent, std::string_view prefix) {
  std::string path = parent + "/" + std::string(prefix) + "XXXXXX";
  if (!::mkdtemp(path.data())) return Error::from_errno("temporary directory in " + parent, errno);
  return TempDir(std::move(path));
}

TempDir::TempDir(TempDir&& other) noexcept : path_(std::exchange(other.path_, {})) {}

TempDir& TempDir::operator=(TempDir&& other) noexcept {
  std::swap(path_, other.path_);
  return *this;
}

TempDir::~TempDir() {
  if (!path_.empty()) (void)remove_tree(path_);
}

std::string TempDir::release() {
  return std::exchange(path_, {});
}

namespace {

Result<void> remove_entries(UniqueFd dir_fd, dev_t device, int depth) {
  if (depth > 4096) return Error(ErrorKind::limit, "directories nested too deeply");
  DIR* dir = ::fdopendir(dir_fd.get());
  if (!dir) return Error::from_errno("fdopendir", errno);
  const int fd = dir_fd.release();  // owned by `dir` from here on
  Result<void> result;
  errno = 0;
  while (const dirent* entry = ::readdir(dir)) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (::unlinkat(fd, name.c_str(), 0) == 0) continue;
    const int unlink_errno = errno;
    UniqueFd child(::openat(fd, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat st;
    if (!child || ::fstat(child.get(), &st) != 0) {
      if (unlink_errno != ENOENT) result = Error::from_errno("remove " + name, unlink_errno);
      continue;
    }
    if (st.st_dev != device) {
      result = Error(ErrorKind::busy, "remove " + name + ": a file system is mounted there");
      continue;
    }
    auto inner = remove_entries(std::move(child), device, depth + 1);
    if (!inner) {
      result = std::move(inner);
    } else if (::unlinkat(fd, name.c_str(), AT_REMOVEDIR) != 0) {
      result = Error::from_errno("remove " + name, errno);
    }
  }
  ::closedir(dir);
  return result;
}

}  // namespace

Result<void> remove_tree(const std::string& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  auto dir = open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!dir) return std::move(dir).error();
  struct stat st;
  if (::fstat(dir->get(), &st) != 0) return Error::from_errno(path, errno);
  TRY(remove_entries(std::move(*dir), st.st_dev, 0).context(path));
  if (::rmdir(path.c_str()) != 0) return Error::from_errno(path, errno);
  return {};
}

}  // namespace intact
