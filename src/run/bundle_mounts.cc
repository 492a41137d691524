#include "bundle_mounts.h"

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <intact/run/tree_path.h>

namespace intact::run {
namespace {

constexpr std::uint32_t kTtyGroup = 5;  // in every distribution

bool is_below(std::string_view path, std::string_view directory) {
  return path.size() > directory.size() && path.starts_with(directory) &&
         path[directory.size()] == '/';
}

/// Collects mounts in order. Destinations are resolved in the tree, as far as it shows.
class MountList {
 public:
  MountList(const tree::FileTree& tree, Bundle& bundle) : tree_(tree), bundle_(bundle) {}

  /// Where `path` leads, given the mounts so far.
  Result<ResolvedPath> locate(std::string_view path) const { return resolve(tree_, path, taken_); }
  bool is_taken(const std::string& destination) const { return taken_.contains(destination); }
  void reserve(std::string destination) { reserved_.insert(std::move(destination)); }

  Result<void> add(Mount mount, bool directory = true) {
    const ResolvedPath place = TRY(locate(mount.destination));
    // Something of the user's comes here instead.
    if (reserved_.contains(place.path)) return {};
    return add_at(std::move(mount), place, directory);
  }

  Result<void> add_at(Mount mount, const ResolvedPath& place, bool directory) {
    if (!place.below_mount) bundle_.mount_points.push_back({place.path, directory});
    mount.destination = place.path;
    taken_.insert(place.path);
    bundle_.mounts.push_back(std::move(mount));
    return {};
  }

 private:
  const tree::FileTree& tree_;
  Bundle& bundle_;
  std::set<std::string> taken_, reserved_;
};

Result<void> add_standard_mounts(MountList& list, const HostFacts& host, Network network) {
  TRY(list.add({"/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}}));
  TRY(list.add(
      {"/dev", "tmpfs", "tmpfs", {"nosuid", "noexec", "strictatime", "mode=755", "size=65536k"}}));
  std::vector<std::string> pts = {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"};
  if (contains(host.gids, kTtyGroup)) pts.push_back(fmt::format("gid={}", kTtyGroup));
  TRY(list.add({"/dev/pts", "devpts", "devpts", pts}));
  TRY(list.add(
      {"/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}}));
  TRY(list.add({"/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}}));
  // A sysfs shows a network namespace, and only the owner of that may mount it.
  if (host.user_namespace && network == Network::host)
    return list.add(
        {"/sys", "none", "/sys", {"rbind", "rprivate", "nosuid", "noexec", "nodev", "ro"}});
  return list.add({"/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}});
}

Result<void> add_scratch_mounts(MountList& list) {
  struct Scratch {
    const char *path, *mode;
  };
  // As podman with --read-only-tmpfs.
  for (const Scratch& scratch : {Scratch{"/run", "mode=755"}, Scratch{"/tmp", "mode=1777"},
                                 Scratch{"/var/tmp", "mode=1777"}})
    TRY(list.add({scratch.path, "tmpfs", "tmpfs", {"nosuid", "nodev", scratch.mode}}));
  return {};
}

/// What the image wants to write to, empty and gone afterwards.
Result<void> add_image_volumes(MountList& list, const tree::FileTree& tree,
                               const ProcessImage& image, const HostFacts& host, Bundle& bundle) {
  for (const auto& path : image.volumes) {
    auto place = list.locate(path);
    if (!path.starts_with('/') || !place || place->path == "/" || place->path == "/proc" ||
        is_below(place->path, "/proc") || place->path == "/sys" || is_below(place->path, "/sys")) {
      bundle.warnings.push_back(fmt::format("the image's volume \"{}\" is not usable", path));
      continue;
    }
    if (list.is_taken(place->path)) continue;
    std::vector<std::string> options = {"nosuid", "nodev"};
    if (place->node) {
      const tree::Attributes attributes = TRY(tree.attributes(*place->node));
      if (!attributes.is_directory()) {
        bundle.warnings.push_back(
            fmt::format("the image's volume \"{}\" is not a directory in the image", path));
        continue;
      }
      options.push_back(fmt::format("mode={:o}", attributes.mode & 07777));
      if (contains(host.uids, attributes.uid))
        options.push_back(fmt::format("uid={}", attributes.uid));
      if (contains(host.gids, attributes.gid))
        options.push_back(fmt::format("gid={}", attributes.gid));
    } else {
      options.emplace_back("mode=755");
    }
    TRY(list.add({path, "tmpfs", "tmpfs", std::move(options)}));
  }
  return {};
}

std::size_t depth(std::string_view path) {
  return static_cast<std::size_t>(std::count(path.begin(), path.end(), '/'));
}

Result<void> add_volume(MountList& list, const Volume& volume, const ResolvedPath& place,
                        Bundle& bundle) {
  struct stat st;
  if (::stat(volume.source.c_str(), &st) != 0)
    return Error::from_errno("volume source " + volume.source, errno);
  const bool directory = S_ISDIR(st.st_mode);
  std::vector<std::string> options = {directory ? "rbind" : "bind", "rprivate", "nosuid", "nodev",
                                      volume.read_only ? "ro" : "rw"};
  // A flag that the host's administrator set cannot be dropped again in a user namespace: asking
  // for a mount without it fails.
  struct statvfs fs;
  if (::statvfs(volume.source.c_str(), &fs) == 0 && (fs.f_flag & ST_NOEXEC) != 0)
    options.emplace_back("noexec");
  bundle.volume_mounts.push_back(bundle.mounts.size());
  return list.add_at({place.path, "bind", volume.source, std::move(options)}, place, directory);
}

Result<void> check_destination(const Volume& volume, const ResolvedPath& place) {
  const std::string& path = place.path;
  for (const std::string_view kept : {"/proc", "/sys"})
    if (path == kept || is_below(path, kept))
      return Error(ErrorKind::invalid_argument,
                   fmt::format("volume destination {} lies in {}", volume.destination, kept));
  for (const std::string_view kept : {"/", "/dev", "/dev/pts", "/dev/mqueue"})
    if (path == kept)
      return Error(ErrorKind::invalid_argument,
                   fmt::format("volume destination {} is {}, which the container needs itself",
                               volume.destination, kept));
  return {};
}

Result<void> add_user_volumes(MountList& list, std::vector<Volume> volumes, Bundle& bundle) {
  // Parents before children, whatever order they were given in.
  std::multimap<std::size_t, Volume> ordered;
  for (auto& volume : volumes) {
    const std::size_t level = depth(TRY(list.locate(volume.destination)).path);
    ordered.emplace(level, std::move(volume));
  }
  std::set<std::string> seen;
  for (const auto& [level, volume] : ordered) {
    const ResolvedPath place = TRY(list.locate(volume.destination));
    TRY(check_destination(volume, place));
    if (!seen.insert(place.path).second)
      return Error(ErrorKind::invalid_argument,
                   fmt::format("two volumes for {}", volume.destination));
    TRY(add_volume(list, volume, place, bundle));
  }
  return {};
}

}  // namespace

Result<void> plan_mounts(const tree::FileTree& tree, const ProcessImage& image,
                         const RunOptions& options, const HostFacts& host, Bundle& bundle) {
  MountList list(tree, bundle);
  for (const auto& volume : options.volumes)
    list.reserve(TRY(list.locate(volume.destination)).path);
  TRY(add_standard_mounts(list, host, options.network));
  if (bundle.read_only) {
    TRY(add_scratch_mounts(list));
    TRY(add_image_volumes(list, tree, image, host, bundle));
  }
  std::vector<Volume> volumes = options.volumes;
  if (options.network == Network::host) {
    const auto add_host_file = [&](bool there, const std::string& path) -> Result<void> {
      const auto same = [&](const Volume& volume) { return volume.destination == path; };
      if (there && std::none_of(volumes.begin(), volumes.end(), same))
        volumes.push_back({path, path, true});
      return {};
    };
    TRY(add_host_file(host.has_resolv_conf, "/etc/resolv.conf"));
    TRY(add_host_file(host.has_hosts, "/etc/hosts"));
  }
  TRY(add_user_volumes(list, std::move(volumes), bundle));

  const ResolvedPath directory = TRY(list.locate(bundle.working_dir));
  if (!directory.below_mount) bundle.mount_points.push_back({directory.path, true});
  return {};
}

}  // namespace intact::run
