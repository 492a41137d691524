#include "sandbox.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>
#include <glob.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <intact/base/file.h>

#include "id_maps.h"

namespace intact::run {
namespace {

constexpr const char* kCgroups = "/sys/fs/cgroup";
constexpr std::uint64_t kMaxHosts = 1024 * 1024;  // /etc/hosts: bytes
constexpr const char* kUnifiedCgroups = "/sys/fs/cgroup/unified";

/// Both kinds of control groups at once, the newer below the older.
bool has_hybrid_cgroups() {
  struct statfs outer, inner;
  return ::statfs(kCgroups, &outer) == 0 && ::statfs(kUnifiedCgroups, &inner) == 0 &&
         outer.f_type == TMPFS_MAGIC && inner.f_type == CGROUP2_SUPER_MAGIC;
}

Result<std::vector<IdRange>> own_id_map(const char* path) {
  const Bytes text = TRY(read_file(path, 64 * 1024));
  return parse_id_map(as_text(text));
}

std::uint64_t hard_limit(int resource) {
  struct rlimit limit;
  if (::getrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0) return 1024;
  return limit.rlim_max;
}

/// Makes `path` if needed, and accepts it only as a directory of this user that is closed to
/// others.
Result<void> claim_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    return Error::from_errno("mkdir " + path, errno);
  struct stat st;
  if (::lstat(path.c_str(), &st) != 0) return Error::from_errno(path, errno);
  if (!S_ISDIR(st.st_mode) || st.st_uid != ::geteuid() || (st.st_mode & 077) != 0)
    return Error(ErrorKind::io, path + ": not a private directory of this user");
  return {};
}

}  // namespace

bool is_privileged() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return ::geteuid() == 0;
  return ::geteuid() == 0 && (data[0].effective & (1U << CAP_SYS_ADMIN)) != 0;
}

Result<void> make_private_namespaces() {
  if (::unshare(CLONE_NEWNS | CLONE_NEWPID) != 0)
    return Error(ErrorKind::unsupported,
                 fmt::format("cannot make mount and process namespaces: {}", std::strerror(errno)),
                 errno);
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    // In a chroot the root is not a mount, so container runtimes cannot pivot_root either.
    if (errno == EINVAL)
      return Error(ErrorKind::unsupported,
                   "containers cannot be started in a chroot: / is not a mount point; enter the "
                   "directory with pivot_root or systemd-nspawn, or use `intact mount`");
    return Error::from_errno("make the mounts private", errno);
  }
  return {};
}

Result<void> prepare_private_mounts(bool user_namespace) {
  if (::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0)
    return Error(ErrorKind::unsupported,
                 fmt::format("cannot mount /proc (inside another container, that one must not hide "
                             "parts of /proc): {}",
                             std::strerror(errno)),
                 errno);
  if (!user_namespace && has_hybrid_cgroups()) ::umount2(kUnifiedCgroups, MNT_DETACH);
  return {};
}

void remove_cgroups(const std::string& container_id) {
  // The single hierarchy of version 2, or those of version 1 below it.
  ::rmdir((std::string(kCgroups) + "/" + container_id).c_str());
  std::error_code error;
  for (const auto& hierarchy : std::filesystem::directory_iterator(kCgroups, error))
    ::rmdir((hierarchy.path() / container_id).c_str());
}

Result<HostFacts> collect_host_facts(bool user_namespace) {
  HostFacts host;
  host.user_namespace = user_namespace;
  host.uids = TRY(own_id_map("/proc/self/uid_map"));
  host.gids = TRY(own_id_map("/proc/self/gid_map"));
  if (const auto setgroups = read_file("/proc/self/setgroups", 64))
    host.setgroups_allowed = as_text(*setgroups).starts_with("allow");
  struct utsname names;
  if (::uname(&names) == 0) {
    host.machine = names.machine;
    unsigned major = 0, minor = 0;
    if (std::sscanf(names.release, "%u.%u", &major, &minor) == 2)
      host.counts_processes_by_namespace = major > 5 || (major == 5 && minor >= 14);
  }
  host.max_open_files = hard_limit(RLIMIT_NOFILE);
  host.max_processes = hard_limit(RLIMIT_NPROC);
  host.cgroup_namespaces = ::access("/proc/self/ns/cgroup", F_OK) == 0;
  // Without a namespace of its own, a container would see the groups of all others.
  host.mounts_cgroups = host.cgroup_namespaces;
  host.has_resolv_conf = ::access("/etc/resolv.conf", R_OK) == 0;
  if (const auto hosts = read_file("/etc/hosts", kMaxHosts)) host.hosts = as_text(*hosts);
  // These counters reveal what other programs do to the processors.
  glob_t found;
  if (::glob("/sys/devices/system/cpu/cpu*/thermal_throttle", GLOB_NOSORT, nullptr, &found) == 0)
    host.masked_paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
  host.getenv = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value ? std::optional<std::string>(value) : std::nullopt;
  };
  return host;
}

Result<std::string> make_room(std::uint32_t uid) {
  std::vector<std::string> candidates;
  if (uid == 0) {
    candidates.emplace_back("/run/intact");
  } else if (const char* runtime = std::getenv("XDG_RUNTIME_DIR"); runtime && runtime[0] == '/') {
    candidates.push_back(std::string(runtime) + "/intact");
  }
  candidates.push_back(fmt::format("{}/intact-{}", TempDir::default_parent(), uid));
  std::optional<Error> failure;
  for (const auto& candidate : candidates) {
    if (auto claimed = claim_directory(candidate); !claimed) {
      failure = std::move(claimed).error();
      continue;
    }
    // Mount tables and runtimes use paths without symlinks.
    std::error_code error;
    const std::string path = std::filesystem::canonical(candidate, error).string();
    if (error) continue;
    if (::mount("intact", path.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700,size=64m") != 0)
      return Error::from_errno("mount a tmpfs on " + path, errno);
    return path;
  }
  return std::move(*failure).with_context("no private directory for the container");
}

CoveredCgroups::CoveredCgroups(bool cover) {
  if (!cover || !has_hybrid_cgroups()) return;
  covered_ = ::mount("intact", kCgroups, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
                     "mode=0755,size=4k") == 0;
}

CoveredCgroups::~CoveredCgroups() {
  if (covered_) ::umount2(kCgroups, MNT_DETACH);
}

}  // namespace intact::run
