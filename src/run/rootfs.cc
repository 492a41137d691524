#include "rootfs.h"

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
#include <unistd.h>

#include "message.h"
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
Result<void> mount_fuse_overlay(const std::string& options, const std::string& target) {
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

Result<RootProcess> start_root(const RootServer& serve, std::shared_ptr<const tree::FileTree> tree,
                               const std::string& mountpoint, bool others) {
  int ready[2], errors[2];
  if (::pipe2(ready, O_CLOEXEC) != 0) return Error::from_errno("pipe", errno);
  UniqueFd ready_read(ready[0]), ready_write(ready[1]);
  if (::pipe2(errors, O_CLOEXEC) != 0) return Error::from_errno("pipe", errno);
  UniqueFd error_read(errors[0]), error_write(errors[1]);
  const pid_t pid = TRY(fork_child(Lifetime::ends_with_us, [&]() -> int {
    // The terminal's signals are for the container; this process ends with its namespace.
    for (const int signal : {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP, SIGUSR1, SIGUSR2})
      std::signal(signal, SIG_IGN);
    ::setpgid(0, 0);
    // Readers of the caller's pipes would never see their end if this process held them open.
    if (const auto null = open_file("/dev/null", O_RDWR)) {
      ::dup2(null->get(), STDIN_FILENO);
      ::dup2(null->get(), STDOUT_FILENO);
    }
    const int report = error_write.get();
    auto served = serve(std::move(tree), mountpoint, others, ready_write.release());
    if (!served) send_error(report, served.error());
    return served ? 0 : 1;
  }));
  ready_write.reset();
  error_write.reset();
  char byte;
  ssize_t count;
  do count = ::read(ready_read.get(), &byte, 1);
  while (count < 0 && errno == EINTR);
  if (count == 1) return RootProcess{pid};
  if (auto message = receive_message(error_read.get()); message && message->error)
    return std::move(*message->error).with_context("serve the image");
  return Error(ErrorKind::io, "the server of the image ended before it was ready");
}

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
  const std::string places =
      fmt::format("lowerdir={},upperdir={}/upper,workdir={}/work", lower, base, base);
  // The image is the lower layer: its attributes must not steer the overlay.
  const std::string options =
      places + (user_namespace ? ",userxattr" : ",metacopy=off,redirect_dir=nofollow");
  if (::mount("intact", target.c_str(), "overlay", MS_NOSUID | MS_NODEV, options.c_str()) != 0) {
    const int error = errno;
    if (auto other = mount_fuse_overlay(places, target); !other)
      return Error(ErrorKind::unsupported,
                   fmt::format("--rw: the kernel refuses an overlay ({}) and {}",
                               std::strerror(error), other.error().message()));
  }
  return std::unique_ptr<WritableRoot>(new WritableRoot(target, std::move(on_disk)));
}

WritableRoot::~WritableRoot() {
  ::umount2(target_.c_str(), MNT_DETACH);
}

}  // namespace intact::run
