#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/json/json.h>
#include <intact/run/options.h>
#include <intact/tree/file_tree.h>

namespace intact::run {

/// The user and groups of the container's process, in the ids of the container.
struct User {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;  ///< supplementary, sorted, without gid
  std::string home = "/";
};

/// Looks up the `User` of an image config or of `--user` in the text of /etc/passwd and /etc/group
/// (both may be empty). `spec` is "[NAME|UID][:[GROUP|GID]]"; an empty user is 0, an empty group
/// means the user's own groups.
///
/// Digits are a number, never a name: an image whose /etc/passwd names a root account "1000" must
/// not make `--user 1000` run as root. A number without an entry is taken as it is, with group 0.
/// An explicit group means no supplementary groups. Lines are parsed as glibc does: fields after
/// the ids may be missing, and lines that glibc would skip are skipped.
///
/// Errors: not_found (unknown name), invalid_argument (two colons, NUL, number over 2^31 - 1),
/// limit (over 1024 groups).
Result<User> find_user(std::string_view spec, std::string_view passwd, std::string_view group);

/// A place of the container that something is mounted on.
struct MountPoint {
  std::string path;       ///< as resolve() gives it
  bool directory = true;  ///< false: a regular file
  bool optional = false;  ///< the mount can be left out where the place cannot be added
};

/// The same tree with an empty directory or file (owned by root) wherever one of `points` is
/// missing, together with missing parents: a runtime cannot make them on a read-only root, and
/// images from scratch have none. Returns the same tree when nothing is missing. invalid_argument
/// when a point exists with the other type, or a parent is not a directory.
Result<std::shared_ptr<const tree::FileTree>> add_mount_points(
    std::shared_ptr<const tree::FileTree> tree, const std::vector<MountPoint>& points);

/// The capabilities of a container unless others are asked for: podman's default.
inline constexpr std::array<std::string_view, 11> kCapabilities = {
    "CAP_CHOWN",   "CAP_DAC_OVERRIDE",     "CAP_FOWNER",    "CAP_FSETID",
    "CAP_KILL",    "CAP_NET_BIND_SERVICE", "CAP_SETFCAP",   "CAP_SETGID",
    "CAP_SETPCAP", "CAP_SETUID",           "CAP_SYS_CHROOT"};

/// Maps `size` ids: `container` and the following inside to `host` and the following outside.
struct IdRange {
  std::uint32_t container = 0, host = 0, size = 0;
};
/// Whether the id exists in the container.
bool contains(const std::vector<IdRange>& ranges, std::uint32_t id);

/// Processes and threads of a container unless another limit is asked for: podman's default.
inline constexpr std::uint64_t kDefaultPids = 2048;

/// What the bundle depends on besides the image and the options.
struct HostFacts {
  /// We are root of a user namespace of our own, not of the host.
  bool user_namespace = false;
  std::vector<IdRange> uids, gids;  ///< the ids that exist here
  bool setgroups_allowed = true;
  std::string machine = "x86_64";       ///< of uname(2)
  std::uint64_t max_open_files = 1024;  ///< hard limits of this process
  std::uint64_t max_processes = UINT64_MAX;
  /// RLIMIT_NPROC counts only the processes of our user namespace (Linux 5.14), not all of the
  /// account's.
  bool counts_processes_by_namespace = false;
  bool cgroup_namespaces = true;
  /// runc and crun can show a container its own control group, and no other.
  bool mounts_cgroups = true;
  bool has_resolv_conf = true;  ///< a file of /etc on the host
  std::string hosts;            ///< text of /etc/hosts on the host
  /// Paths of this machine to mask besides the fixed ones.
  std::vector<std::string> masked_paths;
  Getenv getenv;
};

struct Mount {
  std::string destination, type, source;
  std::vector<std::string> options;
  /// A tmpfs that starts with what the image has at its destination.
  bool copy_up = false;
  /// A tmpfs that the image asks for: stage_mounts() makes all of these from one, whose size limits
  /// them together.
  bool shared_tmpfs = false;
  /// A bind mount of a file with this content, which stage_mounts() writes.
  std::optional<std::string> content;
  unsigned content_mode = 0644;
};

/// Where the init of Bundle::init is mounted.
inline constexpr std::string_view kInitPath = "/dev/.intact-init";

/// Size of the caller's terminal in characters; 0: unknown.
struct TerminalSize {
  unsigned rows = 0, columns = 0;
};

/// A program that the runtime starts in the container's mount namespace before the root becomes
/// one, since runc and crun bind the root without the flags of its mount.
struct RootGuard {
  std::string program;  ///< embedded_init(), as a file
  std::string root;     ///< absolute path of the root directory
};

/// Everything that config.json will say.
struct Bundle {
  std::string id;
  std::vector<std::string> arguments, environment;
  std::string working_dir, hostname;
  User user;
  bool terminal = false;
  TerminalSize terminal_size;
  bool read_only = true;
  std::optional<RootGuard> root_guard;  ///< none in a bundle that is exported
  bool init = false;
  Network network = Network::none;
  /// The bounding set, and what the process itself has. A process that is not root has only what
  /// was added for it, as ambient capabilities.
  std::set<std::string> capabilities, own_capabilities;
  Limits limits;
  std::uint64_t tmpfs_size = kDefaultTmpfsSize;  ///< RunOptions::tmpfs_size
  std::vector<Mount> mounts;
  /// Indices into `mounts` of those that are volumes. Their sources are still the host's paths.
  std::vector<std::size_t> volume_mounts;
  /// What has to be in the root before it is read-only; for add_mount_points().
  std::vector<MountPoint> mount_points;
  /// Destinations of mounts that hide what the image has there.
  std::set<std::string> hiding_mounts;
  std::vector<std::string> warnings;
};

/// Decides what config.json will say. Reads /etc/passwd, /etc/group and /etc/hosts from the tree,
/// which verifies them, and resolves the paths of mounts in it. Errors: not_found (no such user, no
/// such volume source), invalid_argument, unsupported (limits without control groups), limit, and
/// those of the tree.
Result<Bundle> plan_bundle(const tree::FileTree& tree, const ProcessImage& image,
                           const RunOptions& options, const HostFacts& host, std::string id);

/// A warning for each place whose tmpfs is smaller than what the image has there, for bundles that
/// a runtime fills itself. Errors: those of the tree, limit (over 256 levels of directories).
Result<std::vector<std::string>> find_large_copies(const tree::FileTree& tree,
                                                   const Bundle& bundle);

/// Whether the runtime can do what the bundle asks for; otherwise unsupported, saying what to do.
/// runsc brings its own user ids, the others need those of the host or of the user namespace; runsc
/// has neither limits nor our init.
Result<void> check_runtime(const Bundle& bundle, RuntimeKind runtime, const HostFacts& host);

/// The config.json for one runtime; the root is the directory "rootfs" beside it. Never has
/// annotations, nor hooks but the guard of the root. A copy_up mount that has not been staged asks
/// the runtime to copy
/// ("tmpcopyup" of runc and crun); a mount with content that has not been staged is left out.
Json make_config(const Bundle& bundle, RuntimeKind runtime, const HostFacts& host);

/// A bundle for runc and crun on this host, run by root, without its root file system.
struct ExportedBundle {
  std::map<std::string, Bytes> files;  ///< beside the root: config.json, and what it mounts
  std::vector<std::string> warnings;
};
/// Makes the bundle of an image. Without a command of its own the image gets `sh`, as by
/// `runc spec`: a bundle without one could not be used at all. Errors of plan_bundle() and
/// find_large_copies().
Result<ExportedBundle> export_bundle(const tree::FileTree& tree, const ProcessImage& image);

}  // namespace intact::run
