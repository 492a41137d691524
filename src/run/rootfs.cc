#include "rootfs.h"

#include <algorithm>
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

#include <intact/run/tree_path.h>

#include "copy_up.h"
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

Result<void> stage(const Mount& mount, const std::string& target) {
  const bool recursive = mount.options.front() == "rbind";
  const bool read_only =
      std::find(mount.options.begin(), mount.options.end(), "ro") != mount.options.end();
  const unsigned depth = recursive ? AT_RECURSIVE : 0;
  const UniqueFd tree(
      ::open_tree(AT_FDCWD, mount.source.c_str(), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | depth));
  if (!tree) return Error::from_errno("volume " + mount.source, errno);
  struct mount_attr attributes = {};
  attributes.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  if (read_only) attributes.attr_set |= MOUNT_ATTR_RDONLY;
  if (::mount_setattr(tree.get(), "", AT_EMPTY_PATH | depth, &attributes, sizeof attributes) != 0)
    return Error::from_errno("volume " + mount.source + ": mount_setattr", errno);
  struct stat st;
  if (::fstat(tree.get(), &st) != 0) return Error::from_errno("volume " + mount.source, errno);
  if (S_ISDIR(st.st_mode)) {
    TRY(make_directory(target));
  } else {
    TRY(open_file(target, O_WRONLY | O_CREAT | O_EXCL, 0600));
  }
  if (::move_mount(tree.get(), "", AT_FDCWD, target.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0)
    return Error::from_errno("volume " + mount.source + ": move_mount", errno);
  return {};
}

/// Splits the options of a tmpfs into flags for mount(2) and text for the file system.
struct TmpfsOptions {
  unsigned long flags = 0;
  std::string data;
};

TmpfsOptions tmpfs_options(const std::vector<std::string>& options) {
  TmpfsOptions out;
  for (const auto& option : options) {
    if (option == "nosuid")
      out.flags |= MS_NOSUID;
    else if (option == "nodev")
      out.flags |= MS_NODEV;
    else if (option == "noexec")
      out.flags |= MS_NOEXEC;
    else if (option != "ro")
      out.data += (out.data.empty() ? "" : ",") + option;
  }
  return out;
}

/// Replaces the runtime's empty tmpfs with one that has a copy of what the image has there. Where
/// the image has nothing, the runtime's is left.
Result<void> stage_copy(Mount& mount, const tree::FileTree& tree, const std::string& target) {
  const auto node = TRY(resolve(tree, mount.destination)).node;
  if (!node) return {};
  bool empty = true;
  TRY(tree.list(*node, 0,
                [&](const tree::DirectoryEntry&, std::uint64_t) { return empty = false; }));
  mount.copy_up = false;
  if (empty) return {};
  TRY(make_directory(target));
  const TmpfsOptions options = tmpfs_options(mount.options);
  if (::mount("intact", target.c_str(), "tmpfs", options.flags, options.data.c_str()) != 0)
    return Error::from_errno("mount a tmpfs", errno);
  TRY(copy_up(tree, *node, target));
  const bool read_only =
      std::find(mount.options.begin(), mount.options.end(), "ro") != mount.options.end();
  const bool no_exec = (options.flags & MS_NOEXEC) != 0;
  mount.type = "bind";
  mount.source = target;
  mount.options = {"bind", "rprivate", "nosuid", "nodev", read_only ? "ro" : "rw"};
  if (no_exec) mount.options.emplace_back("noexec");
  return {};
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
  const std::string data = size ? fmt::format("mode=0700,size={}", *size) : "mode=0700";
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

Result<void> stage_mounts(Bundle& bundle, const tree::FileTree& tree, const std::string& room) {
  const std::string directory = room + "/mounts";
  TRY(make_directory(directory));
  for (const std::size_t index : bundle.volume_mounts) {
    Mount& mount = bundle.mounts[index];
    std::string target = fmt::format("{}/{}", directory, index);
    TRY(stage(mount, target));
    mount.source = std::move(target);
  }
  for (std::size_t index = 0; index < bundle.mounts.size(); ++index) {
    Mount& mount = bundle.mounts[index];
    const std::string target = fmt::format("{}/{}", directory, index);
    if (mount.content) {
      const UniqueFd file = TRY(open_file(target, O_WRONLY | O_CREAT | O_EXCL, 0600));
      TRY(write_all(file.get(), as_bytes(*mount.content)));
      if (::fchmod(file.get(), mount.content_mode) != 0) return Error::from_errno(target, errno);
      mount.source = target;
    } else if (mount.copy_up) {
      TRY(stage_copy(mount, tree, target).context("copy " + mount.destination + " of the image"));
    }
  }
  return {};
}

}  // namespace intact::run
