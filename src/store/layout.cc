#include "layout.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <memory>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <intact/base/directory.h>
#include <intact/base/file.h>
#include <intact/base/output_file.h>

namespace intact::store {
namespace {

constexpr std::string_view kMountLeaseEnd = ".mount";

}  // namespace

std::string folder_path(Folder folder) {
  static constexpr std::array<const char*, kFolders> kPaths = {
      kObjects, kImages, kTrees, kBlobs, "blobs/sha256", "blobs/sha512", kNames, kStaging, kLeases};
  return kPaths[static_cast<std::size_t>(folder)];
}

std::string part_name(const Digest& digest) {
  return "part-" +
         std::string(digest.algorithm() == HashAlgorithm::sha512 ? "sha512-" : "sha256-") +
         digest.hex();
}

bool is_part_name(std::string_view name) {
  return name.starts_with("part-");
}

std::string object_path(const Digest& digest) {
  std::string path = digest.hex();
  path.insert(2, 1, '/');
  return path;
}

std::string object_directory(const Digest& digest) {
  return to_hex(digest.bytes().first(1));
}

std::optional<Digest> parse_file_name(std::string_view hex) {
  auto digest = Digest::parse_hex(hex);
  if (!digest || digest->hex() != hex) return std::nullopt;  // upper case is not our spelling
  return *digest;
}

std::optional<Digest> parse_object_path(std::string_view path) {
  if (path.size() < 3 || path[2] != '/') return std::nullopt;
  return parse_file_name(std::string(path.substr(0, 2)) + std::string(path.substr(3)));
}

std::string blob_path(const Digest& digest) {
  return std::string(to_string(digest.algorithm())) + "/" + digest.hex();
}

Folder blob_folder(const Digest& digest) {
  return digest.algorithm() == HashAlgorithm::sha512 ? Folder::sha512 : Folder::sha256;
}

std::string lease_name(const Digest& image) {
  return random_name("") + "-" + image.hex();
}

std::string mount_lease_name(const Digest& image) {
  return lease_name(image) + std::string(kMountLeaseEnd);
}

bool is_mount_lease_name(std::string_view name) {
  return name.ends_with(kMountLeaseEnd);
}

std::optional<Digest> parse_lease_name(std::string_view name) {
  if (is_mount_lease_name(name)) name.remove_suffix(kMountLeaseEnd.size());
  const std::size_t dash = name.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  return parse_file_name(name.substr(dash + 1));
}

Result<UniqueFd> walk_beneath(int dir_fd, const std::string& path, int flags) {
  struct stat top;
  if (::fstat(dir_fd, &top) != 0) return Error::from_errno(path, errno);
  UniqueFd dir;
  std::size_t start = 0;
  for (;;) {
    const std::size_t slash = path.find('/', start);
    const bool last = slash == std::string::npos;
    const std::string part = path.substr(start, last ? slash : slash - start);
    if (part.empty() || part == "..")
      return Error(ErrorKind::malformed, "'" + path + "' is not a path below its directory");
    const int how = last ? flags : O_RDONLY | O_DIRECTORY;
    UniqueFd next = TRY(open_at(dir ? dir.get() : dir_fd, part, how | O_NOFOLLOW));
    struct stat st;
    if (::fstat(next.get(), &st) != 0) return Error::from_errno(path, errno);
    if (st.st_dev != top.st_dev)
      return Error(ErrorKind::malformed, "'" + path + "' is in another file system");
    if (last) return next;
    dir = std::move(next);
    start = slash + 1;
  }
}

Result<UniqueFd> open_beneath(int dir_fd, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
  for (;;) {
    const long fd = ::syscall(SYS_openat2, dir_fd, path.c_str(), &how, sizeof how);
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    if (errno == EINTR || errno == EAGAIN) continue;  // EAGAIN: a rename raced with the walk
    // Sandboxes and old kernels know no openat2; seccomp filters of some answer EPERM.
    if (errno == ENOSYS || errno == EPERM) return walk_beneath(dir_fd, path, flags);
    if (errno == ELOOP || errno == EXDEV)
      return Error(ErrorKind::malformed,
                   path + ": leads out of the store through a symbolic link or a mount");
    return Error::from_errno(path, errno);
  }
}

Result<UniqueFd> open_directory(int dir_fd, const std::string& path) {
  auto fd = open_beneath(dir_fd, path, O_RDONLY | O_DIRECTORY);
  if (fd || (fd.error().kind() != ErrorKind::malformed && fd.error().sys_errno() != ENOTDIR))
    return fd;
  return Error(ErrorKind::tampered, path +
                                        ": not a directory but a link, a mount or a file; find out "
                                        "who replaced it, and put a directory in its place");
}

Result<Place> locate(int dir_fd, const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return Place{UniqueFd(), dir_fd, path};
  Place place;
  place.opened = TRY(open_directory(dir_fd, path.substr(0, slash)));
  place.directory = place.opened.get();
  place.name = path.substr(slash + 1);
  return place;
}

Result<UniqueFd> open_regular(int dir_fd, const std::string& path) {
  const Error irregular(ErrorKind::malformed, path + ": not a regular file");
  auto opened = open_beneath(dir_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!opened && opened.error().sys_errno() == ENXIO) return irregular;  // a socket
  UniqueFd fd = TRY(std::move(opened));
  struct stat st;
  if (::fstat(fd.get(), &st) != 0) return Error::from_errno(path, errno);
  if (!S_ISREG(st.st_mode)) return irregular;
  return fd;
}

Result<std::vector<std::string>> list_directory(int dir_fd, const std::string& path) {
  std::vector<std::string> names;
  auto opened = open_beneath(dir_fd, path, O_RDONLY | O_DIRECTORY);
  if (!opened && opened.error().kind() == ErrorKind::not_found) return names;
  if (!opened) return std::move(opened).error();
  return list_names(opened->get()).context(path);
}

/// Sets the mode of a directory that its owner may not even open yet: that takes a descriptor
/// without access rights, which only chmod by way of /proc accepts.
static Result<void> open_up(int dir_fd, const std::string& name, mode_t mode) {
  const UniqueFd fd = TRY(open_at(dir_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW));
  if (::chmod(fmt::format("/proc/self/fd/{}", fd.get()).c_str(), mode) != 0)
    return Error::from_errno(name, errno);
  return {};
}

Result<UniqueFd> make_directory(int dir_fd, const std::string& name, mode_t mode) {
  const bool made = ::mkdirat(dir_fd, name.c_str(), mode) == 0;
  if (!made && errno != EEXIST) return Error::from_errno(name, errno);
  auto fd = open_directory(dir_fd, name);
  if (!made) return fd;
  // The umask decides about files that people make, not about the inside of a store.
  if (!fd && fd.error().sys_errno() == EACCES) {
    TRY(open_up(dir_fd, name, mode));
    return open_directory(dir_fd, name);
  }
  if (fd && ::fchmod(fd->get(), mode) != 0) return Error::from_errno(name, errno);
  return fd;
}

/// `depth`: how many levels of directories there may be below.
static Result<void> remove_directory(int dir_fd, const std::string& name, unsigned depth) {
  auto dir = open_beneath(dir_fd, name, O_RDONLY | O_DIRECTORY);
  if (!dir) {
    if (dir.error().kind() == ErrorKind::not_found) return {};
    return std::move(dir).error();
  }
  for (const std::string& entry : TRY(list_directory(dir->get(), "."))) {
    if (::unlinkat(dir->get(), entry.c_str(), 0) == 0 || errno == ENOENT) continue;
    const int reason = errno;
    if (reason != EISDIR || depth == 0)
      return Error::from_errno(fmt::format("{}/{}", name, entry), reason);
    TRY(remove_directory(dir->get(), entry, depth - 1).context(name));
  }
  if (::unlinkat(dir_fd, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
    return Error::from_errno(name, errno);
  return {};
}

Result<void> remove_staging_directory(int dir_fd, const std::string& name) {
  return remove_directory(dir_fd, name, 1);
}

static Result<void> lock(int fd, int operation, const char* name) {
  while (::flock(fd, operation) != 0) {
    if (errno != EINTR) return Error::from_errno(std::string("lock ") + name, errno);
  }
  return {};
}

Result<FileLock> FileLock::shared(int dir_fd, const char* name) {
  auto fd = open_at(dir_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW, kPrivateFileMode);
  if (!fd) {
    const int reason = fd.error().sys_errno();
    if (reason == EROFS || reason == EACCES || reason == EPERM) return FileLock();
    return std::move(fd).error();
  }
  TRY(lock(fd->get(), LOCK_SH, name));
  return FileLock(std::move(*fd));
}

Result<FileLock> FileLock::exclusive(int dir_fd, const char* name) {
  UniqueFd fd = TRY(open_at(dir_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW, kPrivateFileMode));
  TRY(lock(fd.get(), LOCK_EX, name));
  return FileLock(std::move(fd));
}

Result<void> lock_exclusive(int fd) {
  return lock(fd, LOCK_EX, "a new file");
}

Result<bool> try_lock_exclusive(int fd) {
  for (;;) {
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return true;
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) return Error::from_errno("lock", errno);
  }
}

bool is_open_elsewhere(int fd) {
  // If somebody opens the file while we have the write lease, the kernel sends us a signal: one
  // that is ignored by default, and not SIGIO, which kills.
  if (::fcntl(fd, F_SETSIG, SIGURG) != 0) return true;
  // Granted to the only open file description of an inode and to no other.
  if (::fcntl(fd, F_SETLEASE, F_WRLCK) != 0) return true;
  ::fcntl(fd, F_SETLEASE, F_UNLCK);
  return false;
}

}  // namespace intact::store
