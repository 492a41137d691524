#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <intact/json/json.h>
#include <intact/run/mount_points.h>
#include <intact/run/options.h>
#include <intact/run/user.h>
#include <intact/tree/file_tree.h>

namespace intact::run {

/// The capabilities that a container gets at most: podman's default.
inline constexpr std::array<std::string_view, 11> kCapabilities = {
    "CAP_CHOWN",   "CAP_DAC_OVERRIDE",     "CAP_FOWNER",    "CAP_FSETID",
    "CAP_KILL",    "CAP_NET_BIND_SERVICE", "CAP_SETFCAP",   "CAP_SETGID",
    "CAP_SETPCAP", "CAP_SETUID",           "CAP_SYS_CHROOT"};

/// `size` ids from `container` on are those from `host` on outside.
struct IdRange {
  std::uint32_t container = 0, host = 0, size = 0;
};
/// Whether the id exists in the container.
bool contains(const std::vector<IdRange>& ranges, std::uint32_t id);

/// What the bundle depends on beside image and wishes.
struct HostFacts {
  /// We are root of a user namespace that we made, not of the host.
  bool user_namespace = false;
  std::vector<IdRange> uids, gids;  ///< the ids that exist here
  bool setgroups_allowed = true;
  std::string machine = "x86_64";       ///< of uname(2)
  std::uint64_t max_open_files = 1024;  ///< hard limits of this process
  std::uint64_t max_processes = UINT64_MAX;
  bool cgroup_namespaces = true;
  bool has_resolv_conf = true, has_hosts = true;  ///< files of /etc on the host
  Getenv getenv;
};

struct Mount {
  std::string destination, type, source;
  std::vector<std::string> options;
};

/// Everything that config.json says, decided.
struct Bundle {
  std::string id;
  std::vector<std::string> arguments, environment;
  std::string working_dir, hostname;
  User user;
  bool terminal = false;
  bool read_only = true;
  Network network = Network::none;
  std::vector<Mount> mounts;
  /// For each mount in order that stands for one of RunOptions::volumes: index into `mounts`. The
  /// source there is still the host's path.
  std::vector<std::size_t> volume_mounts;
  /// What has to be in the root before it is read-only; for add_mount_points().
  std::vector<MountPoint> mount_points;
  std::vector<std::string> warnings;
};

/// Decides on everything. Reads /etc/passwd and /etc/group from the tree, which verifies them, and
/// resolves the paths of mounts in it. Errors: not_found (no such user, no such volume source),
/// invalid_argument, limit, and those of the tree.
Result<Bundle> plan_bundle(const tree::FileTree& tree, const ProcessImage& image,
                           const RunOptions& options, const HostFacts& host, std::string id);

/// Whether the process's user exists for the runtime; the error says what to do. runsc brings its
/// own ids, the others need those of the host or of the user namespace.
Result<void> check_ids(const Bundle& bundle, RuntimeKind runtime, const HostFacts& host);

/// The config.json for one runtime; the root is the directory "rootfs" beside it. Never has
/// annotations or hooks.
Json make_config(const Bundle& bundle, RuntimeKind runtime, const HostFacts& host);

}  // namespace intact::run
