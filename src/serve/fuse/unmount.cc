#include <cerrno>
#include <chrono>
#include <thread>

#include <fmt/format.h>
#include <sys/statfs.h>

#include <intact/base/mount.h>
#include <intact/serve/mounts.h>

#include "fusermount.h"

namespace intact::serve {

namespace {

// More than anybody stacks by accident.
constexpr int kMaxStackedMounts = 64;
constexpr int kAttempts = 5;
constexpr std::chrono::milliseconds kPause(40);

/// Whether the server of a mount, open here, is gone. With our long timeouts the kernel answers
/// stat(2) of a dead mount out of its cache; statfs(2) always asks the server.
bool has_lost_its_server(int mounted) {
  struct statfs totals;
  return ::fstatfs(mounted, &totals) != 0 && (errno == ENOTCONN || errno == ECONNABORTED);
}

Error in_use(const std::string& mountpoint) {
  return {ErrorKind::busy,
          fmt::format("{} is in use; stop the processes that use it (`fuser -vm {}` lists them) or "
                      "unmount lazily",
                      mountpoint, mountpoint),
          EBUSY};
}

Result<void> try_to_detach(const MountEntry& entry, bool lazy) {
  const std::string& path = entry.mountpoint;
  const int error = unmount_number(path, entry.id, lazy);
  if (error == 0) return {};
  if (error == EBUSY) return in_use(path);
  if (error != EPERM) return Error::from_errno(fmt::format("cannot unmount {}", path), error);

  std::vector<std::string> arguments = {"-u"};
  if (lazy) arguments.emplace_back("-z");
  arguments.insert(arguments.end(), {"--", path});
  const FusermountOutcome outcome = TRY(run_fusermount(arguments));
  if (outcome.succeeded) return {};
  if (outcome.message.find("busy") != std::string::npos) return in_use(path);
  // Booted systems have it; a root that was made of packages alone, as for a chroot, does not.
  const bool lacks_mtab = outcome.message.find("/etc/mtab") != std::string::npos;
  return Error(
      ErrorKind::io,
      fmt::format("cannot unmount {}: {}{}", path, outcome.message,
                  lacks_mtab ? "; root makes it by `ln -s ../proc/self/mounts /etc/mtab`" : ""));
}

/// A process that has just ended, or a desktop that looks at every new mount, still holds it for a
/// moment.
Result<void> detach(const MountEntry& entry, bool lazy) {
  for (int attempt = 1;; ++attempt) {
    Result<void> result = try_to_detach(entry, lazy);
    if (result || result.error().kind() != ErrorKind::busy || attempt == kAttempts) return result;
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace

bool is_dead_mount(const MountEntry& entry) {
  if (!entry.is_fuse() || !entry.may_be_asked()) return false;
  // Another mount may cover the path by now.
  const auto mounted = open_unasked(entry.mountpoint);
  if (!mounted) return false;
  const auto number = mount_number(mounted->get());
  return number && *number == entry.id && has_lost_its_server(mounted->get());
}

Result<bool> clear_dead_mount(const std::string& path) {
  bool cleared = false;
  for (int i = 0; i < kMaxStackedMounts; ++i) {
    const auto entry = TRY(find_mount(path));
    if (!entry || !is_dead_mount(*entry)) return cleared;
    TRY(detach(*entry, true).context("a mount without a server is in the way"));
    cleared = true;
  }
  return Error(ErrorKind::busy, fmt::format("too many dead mounts on {}", path));
}

Result<void> unmount(const MountEntry& entry, bool lazy) {
  return detach(entry, lazy);
}

Result<void> unmount(const std::string& mountpoint, bool lazy) {
  const auto entry = TRY(find_mount(mountpoint));
  if (!entry || !entry->is_fuse())
    return Error(ErrorKind::not_found, fmt::format("{} is not a FUSE mount", mountpoint));
  return detach(*entry, lazy);
}

}  // namespace intact::serve
