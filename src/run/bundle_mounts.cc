#include "bundle_mounts.h"

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "embedded_init.h"
#include "hosts_file.h"
#include "tree_path.h"

namespace intact::run {
namespace {

constexpr std::uint32_t kTtyGroup = 5;  // in every distribution

bool is_below(std::string_view path, std::string_view directory) {
  return path.size() > directory.size() && path.starts_with(directory) &&
         path[directory.size()] == '/';
}

/// Collects mounts in order. Destinations are resolved in the tree, as far as it shows: a mount
/// that starts with what the image has there does not hide it.
class MountList {
 public:
  MountList(const tree::FileTree& tree, Bundle& bundle) : tree_(tree), bundle_(bundle) {}

  /// Where `path` leads, given the mounts so far.
  Result<ResolvedPath> locate(std::string_view path) const {
    return resolve(tree_, path, bundle_.hiding_mounts);
  }
  bool is_taken(const std::string& destination) const { return taken_.contains(destination); }
  void reserve(std::string destination) { reserved_.insert(std::move(destination)); }
  bool is_reserved(const std::string& destination) const { return reserved_.contains(destination); }

  Result<void> add(Mount mount) {
    const ResolvedPath place = TRY(locate(mount.destination));
    // The user mounts something of their own here.
    if (reserved_.contains(place.path)) return {};
    return add_at(std::move(mount), place, {place.path, true});
  }

  Result<void> add_at(Mount mount, const ResolvedPath& place, MountPoint point) {
    if (!place.below_mount) bundle_.mount_points.push_back(std::move(point));
    mount.destination = place.path;
    taken_.insert(place.path);
    if (!mount.copy_up) bundle_.hiding_mounts.insert(place.path);
    bundle_.mounts.push_back(std::move(mount));
    return {};
  }

  /// The same place without a mount: it only has to exist.
  void need_directory(const ResolvedPath& place) {
    if (!place.below_mount) bundle_.mount_points.push_back({place.path, true});
  }

  const tree::FileTree& tree() const { return tree_; }

 private:
  const tree::FileTree& tree_;
  Bundle& bundle_;
  std::set<std::string> taken_, reserved_;
};

Result<void> add_standard_mounts(MountList& list, const HostFacts& host, Network network) {
  const auto add = [&](std::string destination, std::string type, std::string source,
                       std::vector<std::string> options) {
    return list.add({.destination = std::move(destination),
                     .type = std::move(type),
                     .source = std::move(source),
                     .options = std::move(options),
                     .content = {}});
  };
  TRY(add("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}));
  TRY(add("/dev", "tmpfs", "tmpfs",
          {"nosuid", "noexec", "strictatime", "mode=755", "size=65536k"}));
  std::vector<std::string> pts = {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"};
  if (contains(host.gids, kTtyGroup)) pts.push_back(fmt::format("gid={}", kTtyGroup));
  TRY(add("/dev/pts", "devpts", "devpts", pts));
  TRY(add("/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}));
  TRY(add("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}));
  // A sysfs shows a network namespace, and only the owner of that may mount it.
  if (host.user_namespace && network == Network::host)
    TRY(add("/sys", "none", "/sys", {"rbind", "rprivate", "nosuid", "noexec", "nodev", "ro"}));
  else
    TRY(add("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}));
  // Programs that adapt to their limits read them here.
  if (host.mounts_cgroups)
    TRY(add("/sys/fs/cgroup", "cgroup", "cgroup", {"rprivate", "nosuid", "noexec", "nodev", "ro"}));
  return {};
}

std::vector<std::string> size_options(std::uint64_t size) {
  return {fmt::format("size={}", size), fmt::format("nr_inodes={}", tmpfs_inodes(size))};
}

void append(std::vector<std::string>& options, std::vector<std::string> more) {
  options.insert(options.end(), more.begin(), more.end());
}

/// Options that give a tmpfs the mode and owner of the image's directory; `mode` where the image
/// has none.
Result<std::vector<std::string>> like_image(const tree::FileTree& tree, const ResolvedPath& place,
                                            const HostFacts& host, std::string_view mode) {
  std::vector<std::string> options = {"nosuid", "nodev"};
  if (!place.node) {
    options.push_back(fmt::format("mode={}", mode));
    return options;
  }
  const tree::Attributes attributes = TRY(tree.attributes(*place.node));
  if (!attributes.is_directory())
    return Error(ErrorKind::invalid_argument,
                 place.path + ": cannot be mounted on: not a directory in the image");
  options.push_back(fmt::format("mode={:o}", attributes.mode & 07777));
  if (contains(host.uids, attributes.uid)) options.push_back(fmt::format("uid={}", attributes.uid));
  if (contains(host.gids, attributes.gid)) options.push_back(fmt::format("gid={}", attributes.gid));
  return options;
}

Result<void> add_scratch_mounts(MountList& list, const HostFacts& host, std::uint64_t size) {
  struct Scratch {
    const char *path, *mode;
  };
  // As podman with --read-only-tmpfs.
  for (const Scratch& scratch :
       {Scratch{"/run", "755"}, Scratch{"/tmp", "1777"}, Scratch{"/var/tmp", "1777"}}) {
    const ResolvedPath place = TRY(list.locate(scratch.path));
    if (list.is_taken(place.path)) continue;  // a link to one of the others
    std::vector<std::string> mount_options =
        TRY(like_image(list.tree(), place, host, scratch.mode));
    append(mount_options, size_options(size));
    TRY(list.add({.destination = scratch.path,
                  .type = "tmpfs",
                  .source = "tmpfs",
                  .options = std::move(mount_options),
                  .copy_up = !place.below_mount,
                  .shared_tmpfs = true,
                  .content = {}}));
  }
  return {};
}

std::size_t depth(std::string_view path) {
  return static_cast<std::size_t>(std::count(path.begin(), path.end(), '/'));
}

/// What the image expects to be writable: on a read-only root a tmpfs that starts with what the
/// image has there, on a writable one just a directory.
Result<void> add_image_volumes(MountList& list, const ProcessImage& image, const HostFacts& host,
                               Bundle& bundle) {
  // Parents before children, whatever order the image gives.
  std::multimap<std::size_t, std::string> ordered;
  for (const auto& path : image.volumes) {
    const auto place = list.locate(path);
    if (!path.starts_with('/') || !place || place->path == "/" || place->path == "/proc" ||
        is_below(place->path, "/proc") || place->path == "/sys" || is_below(place->path, "/sys")) {
      bundle.warnings.push_back(fmt::format("volume \"{}\" of the image: not a usable path", path));
      continue;
    }
    ordered.emplace(depth(place->path), place->path);
  }
  for (const auto& [level, path] : ordered) {
    const ResolvedPath place = TRY(list.locate(path));
    if (list.is_taken(place.path) || list.is_reserved(place.path)) continue;
    auto options = like_image(list.tree(), place, host, "755");
    if (!options && options.error().kind() != ErrorKind::invalid_argument)
      return std::move(options).error();
    if (!options) {
      bundle.warnings.push_back(
          fmt::format("volume \"{}\" of the image: not a directory in the image", path));
      continue;
    }
    if (!bundle.read_only) {
      list.need_directory(place);
      continue;
    }
    append(*options, size_options(bundle.tmpfs_size));
    TRY(list.add_at({.destination = place.path,
                     .type = "tmpfs",
                     .source = "tmpfs",
                     .options = std::move(*options),
                     .copy_up = !place.below_mount,
                     .shared_tmpfs = true,
                     .content = {}},
                    place, {place.path, true}));
  }
  return {};
}

Result<void> add_tmpfs(MountList& list, const Tmpfs& tmpfs, const ResolvedPath& place,
                       const HostFacts& host, const Bundle& bundle) {
  std::vector<std::string> options = TRY(like_image(list.tree(), place, host, "1777"));
  append(options, size_options(bundle.tmpfs_size));
  const auto key = [](const std::string& option) { return option.substr(0, option.find('=') + 1); };
  for (const auto& wish : tmpfs.options) {
    if (wish.find('=') != std::string::npos)
      std::erase_if(options, [&](const auto& option) { return key(option) == key(wish); });
    options.push_back(wish);
  }
  return list.add_at({.destination = place.path,
                      .type = "tmpfs",
                      .source = "tmpfs",
                      .options = std::move(options),
                      .copy_up = tmpfs.copy_up && !place.below_mount,
                      .content = {}},
                     place, {place.path, true});
}

/// localhost and the container's own name resolve, also where the image has no /etc/hosts.
Result<void> add_hosts_file(MountList& list, const HostFacts& host, Bundle& bundle) {
  constexpr std::uint64_t kMaxHosts = 1024 * 1024;  // bytes
  const auto place = list.locate("/etc/hosts");
  // A directory of the user's, or an image without a usable /etc: left as they are.
  if (!place || place->below_mount || list.is_reserved(place->path)) return {};
  if (place->node && !TRY(list.tree().attributes(*place->node)).is_regular()) return {};
  std::string base = host.hosts;
  if (bundle.network == Network::none)
    base = place->node ? TRY(read_text(list.tree(), place->path, kMaxHosts)) : std::string();
  std::vector<std::string> options = {"bind",  "rprivate", "nosuid",
                                      "nodev", "noexec",   bundle.read_only ? "ro" : "rw"};
  return list.add_at({.destination = place->path,
                      .type = "bind",
                      .source = {},
                      .options = std::move(options),
                      .content = make_hosts_file(base, bundle.hostname)},
                     *place, {.path = place->path, .directory = false, .optional = true});
}

Result<void> add_volume(MountList& list, const Volume& volume, const ResolvedPath& place,
                        Bundle& bundle) {
  struct stat st;
  if (::stat(volume.source.c_str(), &st) != 0)
    return Error::from_errno("volume source " + volume.source, errno);
  const bool directory = S_ISDIR(st.st_mode);
  std::vector<std::string> options = {directory ? "rbind" : "bind", "rprivate", "nosuid", "nodev",
                                      volume.read_only ? "ro" : "rw"};
  // A flag that the host's administrator set cannot be removed again in a user namespace: asking
  // for a mount without it fails.
  struct statvfs fs;
  if (volume.no_exec ||
      (::statvfs(volume.source.c_str(), &fs) == 0 && (fs.f_flag & ST_NOEXEC) != 0))
    options.emplace_back("noexec");
  bundle.volume_mounts.push_back(bundle.mounts.size());
  return list.add_at({.destination = place.path,
                      .type = "bind",
                      .source = volume.source,
                      .options = std::move(options),
                      .content = {}},
                     place, {place.path, directory});
}

Result<void> check_destination(std::string_view destination, const ResolvedPath& place) {
  const std::string& path = place.path;
  const auto refuse = [&](std::string_view kept) {
    return Error(ErrorKind::invalid_argument,
                 fmt::format("mount on {}: {} belongs to the container itself", destination, kept));
  };
  for (const std::string_view kept : {"/proc", "/sys"})
    if (path == kept || is_below(path, kept)) return refuse(kept);
  for (const std::string_view kept : {"/", "/dev", "/dev/pts", "/dev/mqueue"})
    if (path == kept) return refuse(kept);
  return {};
}

/// Volumes and tmpfs of the user's, parents before children, whatever order they were given in.
Result<void> add_user_mounts(MountList& list, const std::vector<Volume>& volumes,
                             const std::vector<Tmpfs>& tmpfs, const HostFacts& host,
                             Bundle& bundle) {
  struct Wish {
    const Volume* volume = nullptr;
    const Tmpfs* tmpfs = nullptr;
    const std::string& destination() const {
      return volume ? volume->destination : tmpfs->destination;
    }
  };
  std::multimap<std::size_t, Wish> ordered;
  const auto sort_in = [&](Wish wish) -> Result<void> {
    const std::size_t level = depth(TRY(list.locate(wish.destination())).path);
    ordered.emplace(level, wish);
    return {};
  };
  for (const auto& volume : volumes) TRY(sort_in({.volume = &volume}));
  for (const auto& wish : tmpfs) TRY(sort_in({.tmpfs = &wish}));
  std::set<std::string> seen;
  for (const auto& [level, wish] : ordered) {
    const ResolvedPath place = TRY(list.locate(wish.destination()));
    TRY(check_destination(wish.destination(), place));
    if (!seen.insert(place.path).second)
      return Error(ErrorKind::invalid_argument,
                   fmt::format("mount on {}: given twice", wish.destination()));
    TRY(wish.volume ? add_volume(list, *wish.volume, place, bundle)
                    : add_tmpfs(list, *wish.tmpfs, place, host, bundle));
  }
  return {};
}

Result<void> add_init(MountList& list) {
  const ResolvedPath place = TRY(list.locate(kInitPath));
  return list.add_at({.destination = std::string(kInitPath),
                      .type = "bind",
                      .source = {},
                      .options = {"bind", "rprivate", "nosuid", "nodev", "ro"},
                      .content = std::string(embedded_init()),
                      .content_mode = 0755},
                     place, {.path = place.path, .directory = false});
}

bool may_enter(const tree::Attributes& directory, const User& user) {
  if (user.uid == 0) return true;
  if (directory.uid == user.uid) return (directory.mode & 0100) != 0;
  const bool in_group =
      directory.gid == user.gid ||
      std::find(user.groups.begin(), user.groups.end(), directory.gid) != user.groups.end();
  return (directory.mode & (in_group ? 0010 : 0001)) != 0;
}

/// The working directory exists or may be added, is one, and its user may enter it, as far as the
/// image tells.
Result<void> plan_working_directory(MountList& list, const RunOptions& options,
                                    const Bundle& bundle) {
  const auto refuse = [&](std::string_view why) {
    return Error(options.working_dir.empty() ? ErrorKind::malformed : ErrorKind::invalid_argument,
                 fmt::format("working directory {}: {}", bundle.working_dir, why));
  };
  auto place = list.locate(bundle.working_dir);
  if (!place && place.error().kind() == ErrorKind::invalid_argument)
    return refuse("not a directory in the image");
  if (!place) return std::move(place).error();
  if (place->node && !TRY(list.tree().attributes(*place->node)).is_directory())
    return refuse("not a directory in the image");
  // As podman: the image's own is added where it is missing, but a wish for one may be mistyped.
  const bool exists = place->node || place->below_mount ||
                      std::ranges::any_of(bundle.mount_points, [&](const MountPoint& point) {
                        return point.path == place->path || is_below(point.path, place->path);
                      });
  if (!options.working_dir.empty() && !exists)
    return refuse("no such directory in the image, and no mount makes it");
  for (std::size_t end = 0; place->node && end != std::string::npos;) {
    end = place->path.find('/', end + 1);
    const ResolvedPath parent = TRY(list.locate(place->path.substr(0, end)));
    if (parent.node && !may_enter(TRY(list.tree().attributes(*parent.node)), bundle.user))
      return refuse(fmt::format("user {} may not enter {}", bundle.user.uid, parent.path));
  }
  list.need_directory(*place);
  return {};
}

}  // namespace

Result<void> plan_mounts(const tree::FileTree& tree, const ProcessImage& image,
                         const RunOptions& options, const HostFacts& host, Bundle& bundle) {
  MountList list(tree, bundle);
  for (const auto& volume : options.volumes)
    list.reserve(TRY(list.locate(volume.destination)).path);
  for (const auto& tmpfs : options.tmpfs) list.reserve(TRY(list.locate(tmpfs.destination)).path);
  TRY(add_standard_mounts(list, host, options.network));
  if (bundle.read_only) TRY(add_scratch_mounts(list, host, bundle.tmpfs_size));
  TRY(add_image_volumes(list, image, host, bundle));
  std::vector<Volume> volumes = options.volumes;
  if (options.network == Network::host && host.has_resolv_conf &&
      !list.is_reserved(TRY(list.locate("/etc/resolv.conf")).path))
    volumes.push_back(
        {.source = "/etc/resolv.conf", .destination = "/etc/resolv.conf", .read_only = true});
  TRY(add_user_mounts(list, volumes, options.tmpfs, host, bundle));
  TRY(add_hosts_file(list, host, bundle));
  if (bundle.init) TRY(add_init(list));
  return plan_working_directory(list, options, bundle);
}

}  // namespace intact::run
