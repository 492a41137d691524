#include "writable_root.h"

#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include <intact/kernel/overlay.h>

#include "process.h"

namespace intact::run {
namespace {

constexpr long kFuseMagic = 0x65735546;

Result<void> make_directory(const std::string& path, mode_t mode = 0700) {
  if (::mkdir(path.c_str(), mode) == 0 || errno == EEXIST) return {};
  return Error::from_errno("mkdir " + path, errno);
}

/// Whether files there can have the attributes that an overlay in a user namespace marks them with.
bool keeps_user_xattrs(const std::string& directory) {
  if (::setxattr(directory.c_str(), "user.overlay.probe", "", 0, 0) != 0) return false;
  ::removexattr(directory.c_str(), "user.overlay.probe");
  return true;
}

/// fuse-overlayfs in the foreground of a child that dies with us.
Result<void> mount_fuse_overlay(const kernel::Overlay& overlay, const std::string& target) {
  const std::string options = TRY(kernel::fuse_overlay_options(overlay));
  const std::string program = find_executable("fuse-overlayfs");
  if (program.empty()) return Error(ErrorKind::unsupported, "fuse-overlayfs is not installed");
  const UniqueFd null = TRY(open_file("/dev/null", O_RDWR));
  const ChildSetup setup{.stdin_fd = null.get(), .stdout_fd = null.get(), .environment = {}};
  const pid_t child = TRY(spawn({program, "-f", "-o", options, target}, setup));
  for (int tries = 0; tries < 250; ++tries) {
    struct statfs fs;
    if (::statfs(target.c_str(), &fs) == 0 && fs.f_type == kFuseMagic) return {};
    int status;
    if (::waitpid(child, &status, WNOHANG) == child)
      return Error(ErrorKind::unsupported, "fuse-overlayfs fails");
    ::poll(nullptr, 0, 20);
  }
  ::kill(child, SIGKILL);
  return Error(ErrorKind::unsupported, "fuse-overlayfs does not start");
}

}  // namespace

Result<std::unique_ptr<WritableRoot>> WritableRoot::mount(const std::string& room,
                                                          const std::string& lower,
                                                          const std::string& target,
                                                          bool user_namespace,
                                                          std::optional<std::uint64_t> size) {
  std::string base = room + "/writable";
  TRY(make_directory(base));
  TRY(make_directory(target));
  // The kernel's default for a tmpfs, said openly.
  const std::string limit = size ? std::to_string(*size) : "50%";
  const std::string data = "mode=0700,size=" + limit;
  if (::mount("intact", base.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, data.c_str()) != 0)
    return Error::from_errno("mount a tmpfs for the writable layer", errno);
  std::unique_ptr<TempDir> on_disk;
  if (user_namespace && !keeps_user_xattrs(base)) {
    if (size)
      return Error(
          ErrorKind::unsupported,
          "--rw-size: this kernel's tmpfs has no user attributes, so the writable layer is "
          "on disk and cannot be limited");
    on_disk = std::make_unique<TempDir>(TRY(TempDir::create("/var/tmp", "intact-rw-")));
    base = on_disk->path();
  }
  TRY(make_directory(base + "/upper", 0755));
  TRY(make_directory(base + "/work"));
  // The image is the lower layer: its attributes must not steer the overlay.
  const kernel::Overlay overlay{
      .source = "intact",
      .lower = {lower},
      .upper = kernel::Overlay::Upper{.directory = base + "/upper", .work = base + "/work"},
      .follow = false,
      .user_xattrs = user_namespace};
  if (const auto mounted = kernel::mount_overlay_on(overlay, target); !mounted) {
    if (auto other = mount_fuse_overlay(overlay, target); !other)
      return Error(
          ErrorKind::unsupported,
          fmt::format("--rw: the kernel refuses an overlay ({}) and {}",
                      std::strerror(mounted.error().sys_errno()), other.error().message()));
  }
  return std::unique_ptr<WritableRoot>(new WritableRoot(target, std::move(on_disk)));
}

WritableRoot::~WritableRoot() {
  ::umount2(target_.c_str(), MNT_DETACH);
}

}  // namespace intact::run
