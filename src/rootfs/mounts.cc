#include <chrono>
#include <climits>
#include <cstdlib>

#include <fmt/format.h>
#include <unistd.h>

#include <intact/kernel/image_mount.h>
#include <intact/rootfs/mounts.h>
#include <intact/serve/mounts.h>
#include <intact/service/mount_record.h>

namespace intact::rootfs {
namespace {

constexpr std::string_view kFuseType = "fuse.intact";
constexpr std::chrono::milliseconds kMaxWaitForServer(10'000);
// They may have any number of servers that never end.
constexpr std::chrono::milliseconds kMaxWaitForOthers(200);

service::MountServer server_of(const MountEntry& entry) {
  return service::MountServer::find(entry.device, entry.fuse_user().value_or(::geteuid()));
}

Result<Unmounted> unmount_served(const MountEntry& entry, const std::string& directory, bool lazy) {
  const service::MountServer server = server_of(entry);
  auto result = serve::unmount(entry, lazy);
  if (!result) {
    // Busy without a server: only the dead mount itself is in the way.
    if (result.error().kind() == ErrorKind::busy && serve::is_dead_mount(entry)) {
      TRY(serve::clear_dead_mount(directory));
      return Unmounted::done;
    }
    return std::move(result).error();
  }
  const auto patience = entry.may_be_asked() ? kMaxWaitForServer : kMaxWaitForOthers;
  return lazy || server.wait_for_end(patience) ? Unmounted::done : Unmounted::server_still_runs;
}

Result<Unmounted> unmount_attached(const Mount& mount, bool lazy) {
  TRY(kernel::detach_image_mount(mount.directory(), mount.entry.id, lazy));
  return Unmounted::done;
}

}  // namespace

std::string_view Mount::status() const {
  if (by_kernel) return "kernel";
  if (server_of(entry).is_running()) return "serving";
  if (!entry.may_be_asked()) return "unknown";
  return serve::is_dead_mount(entry) ? "dead" : "serving";
}

std::optional<Mount> as_mount(const MountEntry& entry) {
  if (entry.type == kFuseType) return Mount{.entry = entry, .image = entry.source};
  if (!kernel::is_image_mount(entry.type, entry.source)) return std::nullopt;
  return Mount{.entry = entry,
               .image = entry.source.substr(kernel::kImageMountSource.size()),
               .by_kernel = true};
}

Result<std::vector<Mount>> list_mounts() {
  std::vector<Mount> mounts;
  for (const MountEntry& entry : TRY(mount_table()))
    if (auto mount = as_mount(entry)) mounts.push_back(std::move(*mount));
  return mounts;
}

Result<Unmounted> unmount(const Mount& mount, const std::string& directory, bool lazy) {
  auto done = mount.by_kernel ? unmount_attached(mount, lazy)
                              : unmount_served(mount.entry, directory, lazy);
  if (done || done.error().kind() != ErrorKind::busy) return done;
  return Error(
      ErrorKind::busy,
      fmt::format("{}: in use; stop what uses it (`fuser -vm {}` lists it), or pass --lazy",
                  directory, directory));
}

Result<UnmountedAll> unmount_all(bool lazy) {
  const auto mounts = TRY(list_mounts());
  UnmountedAll all;
  for (auto mount = mounts.rbegin(); mount != mounts.rend(); ++mount) {
    auto done = unmount(*mount, mount->directory(), lazy);
    if (!done) {
      all.errors.push_back(std::move(done).error());
      continue;
    }
    all.directories.push_back(mount->directory());
    if (*done == Unmounted::server_still_runs) all.unended.push_back(mount->directory());
  }
  if (!all.errors.empty()) return all;
  for (const Mount& left : TRY(list_mounts()))
    all.errors.emplace_back(ErrorKind::busy,
                            left.directory() + ": an image is still mounted there");
  return all;
}

Result<Mount> find_mount_of(const std::string& name) {
  std::vector<Mount> mounts;
  const std::string without_digest = name.substr(0, name.rfind("@sha256:"));
  for (Mount& mount : TRY(list_mounts()))
    if (mount.image == name || mount.image == without_digest) mounts.push_back(std::move(mount));
  if (mounts.empty())
    return Error(ErrorKind::not_found,
                 fmt::format("{}: not an Intact mount; run `intact mount` to list them", name));
  if (mounts.size() == 1) return std::move(mounts.front());
  std::string directories;
  for (const Mount& mount : mounts)
    directories += (directories.empty() ? "" : ", ") + mount.directory();
  return Error(ErrorKind::invalid_argument,
               fmt::format("'{}': mounted on {}; name one of the directories", name, directories));
}

Result<bool> prepare_directory(const std::string& directory) {
  char path[PATH_MAX];
  if (::realpath(directory.c_str(), path) != nullptr && std::string_view(path) == "/")
    return Error(ErrorKind::invalid_argument, "/: cannot mount there; choose a directory below it");
  bool cleared = false;
  auto entry = TRY(serve::find_mount(directory));
  if (!entry) return false;
  if (!server_of(*entry).is_running() && TRY(serve::clear_dead_mount(directory))) {
    cleared = true;
    entry = TRY(serve::find_mount(directory));
  }
  if (entry && as_mount(*entry))
    return Error(ErrorKind::busy, fmt::format("{}: '{}' is mounted there; run `intact umount {}`",
                                              directory, entry->source, directory));
  return cleared;
}

Result<void> check_store_is_elsewhere(const std::string& store, const std::string& directory) {
  char store_path[PATH_MAX];
  char directory_path[PATH_MAX];
  if (::realpath(store.c_str(), store_path) == nullptr ||
      ::realpath(directory.c_str(), directory_path) == nullptr)
    return {};  // opening them tells what is wrong
  const std::string below = std::string(store_path) + "/";
  if (below.starts_with(std::string(directory_path) + "/"))
    return Error(ErrorKind::invalid_argument,
                 fmt::format("{}: contains the store {}; mount somewhere else", directory, store));
  return {};
}

}  // namespace intact::rootfs
