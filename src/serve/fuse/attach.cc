#include "attach.h"

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <optional>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/file.h>

#include "fusermount.h"

namespace intact::serve {

namespace {

constexpr const char* kDevice = "/dev/fuse";

bool is_writable(MountKind kind) {
  return kind == MountKind::writable_file;
}

/// `mountpoint` as the kernel will have it in its table. It is checked here because the messages of
/// mount(2) and fusermount3 do not say what is wrong with it.
Result<std::string> resolve_mountpoint(const std::string& mountpoint, MountKind kind) {
  char resolved[PATH_MAX];
  if (::realpath(mountpoint.c_str(), resolved) == nullptr)
    return Error::from_errno(fmt::format("cannot mount on {}", mountpoint), errno);
  struct stat status;
  if (::stat(resolved, &status) != 0)
    return Error::from_errno(fmt::format("cannot mount on {}", mountpoint), errno);
  const bool wants_directory = kind == MountKind::directory;
  if (wants_directory ? !S_ISDIR(status.st_mode) : !S_ISREG(status.st_mode))
    return Error(ErrorKind::invalid_argument,
                 fmt::format("cannot mount on {}: not a {}", mountpoint,
                             wants_directory ? "directory" : "regular file"));
  return std::string(resolved);
}

/// The name as the value of one option of fusermount3, where a comma would begin the next one.
std::string option_value(std::string_view name) {
  std::string out;
  for (const char c : name) out += c > ' ' && c < 0x7f && c != ',' && c != '\\' ? c : '_';
  return out;
}

/// Nothing when only fusermount3 may do it.
Result<std::optional<UniqueFd>> attach_directly(const FuseOptions& options,
                                                const std::string& mountpoint, MountKind kind,
                                                bool check) {
  UniqueFd device(::open(kDevice, O_RDWR | O_CLOEXEC));
  if (!device) {
    if (errno == EACCES || errno == EPERM) return std::optional<UniqueFd>();
    return Error(
        ErrorKind::unsupported,
        fmt::format("cannot open {} ({}): the kernel has no FUSE, its module is not loaded "
                    "(modprobe fuse), or this container was not given the device",
                    kDevice, Error::from_errno("", errno).message()),
        errno);
  }
  std::string data =
      fmt::format("fd={},rootmode={:o},user_id={},group_id={}", device.get(),
                  static_cast<unsigned>(kind == MountKind::directory ? S_IFDIR : S_IFREG),
                  ::geteuid(), ::getegid());
  if (check) data += ",default_permissions";
  if (options.allow_other) data += ",allow_other";
  const unsigned long flags = (is_writable(kind) ? 0 : MS_RDONLY) | (options.suid ? 0 : MS_NOSUID) |
                              (options.dev ? 0 : MS_NODEV);
  const std::string type = "fuse." + option_value(options.subtype);
  if (::mount(options.fsname.c_str(), mountpoint.c_str(), type.c_str(), flags, data.c_str()) == 0)
    return std::optional(std::move(device));
  if (errno == EPERM) return std::optional<UniqueFd>();
  return Error::from_errno(fmt::format("cannot mount on {}", mountpoint), errno);
}

Error explain(const std::string& mountpoint, const std::string& message) {
  if (message.find("determine username") != std::string::npos)
    return {ErrorKind::unsupported,
            fmt::format("cannot mount on {}: fusermount3 serves only users with a passwd entry, "
                        "and uid {} has none",
                        mountpoint, ::getuid())};
  if (message.find("open /dev/fuse") != std::string::npos)
    return {ErrorKind::unsupported,
            fmt::format(
                "cannot mount on {}: ordinary users have no access to {}; its usual mode is 0666",
                mountpoint, kDevice)};
  if (message.find("user_allow_other") != std::string::npos)
    return {ErrorKind::invalid_argument,
            fmt::format("cannot mount on {}: access for other users needs the line "
                        "\"user_allow_other\" in /etc/fuse.conf",
                        mountpoint)};
  return {ErrorKind::io,
          fmt::format("cannot mount on {}: {}", mountpoint,
                      message.empty() ? "fusermount3 failed without a message" : message)};
}

Result<UniqueFd> attach_through_helper(const FuseOptions& options, const std::string& mountpoint,
                                       MountKind kind, bool check) {
  if (options.suid || options.dev)
    return Error(ErrorKind::invalid_argument,
                 "only root can mount with set-user-id programs or devices enabled");
  std::string list =
      fmt::format("{},nosuid,nodev,fsname={},subtype={}", is_writable(kind) ? "rw" : "ro",
                  option_value(options.fsname), option_value(options.subtype));
  if (check) list += ",default_permissions";
  if (options.allow_other) list += ",allow_other";
  FusermountOutcome outcome = TRY(run_fusermount({"-o", list, "--", mountpoint}));
  if (!outcome.succeeded || !outcome.device) return explain(mountpoint, outcome.message);
  return std::move(outcome.device);
}

}  // namespace

Result<Attached> attach(const FuseOptions& options, MountKind kind) {
  const std::string mountpoint = TRY(resolve_mountpoint(options.mountpoint, kind));
  Attached attached;
  // Once others may get in, the kernel has to enforce the modes: without default_permissions it
  // lets everyone who passes the gate read everything. For root it is right in any case: processes
  // of a container under our mount may lack CAP_DAC_OVERRIDE. A private mount of an ordinary user
  // is different: nobody but this user passes the gate, and enforcing the modes would only lock
  // the owner out of files of uid 0 of his own image, such as /root.
  attached.kernel_checks_permissions = options.allow_other || ::geteuid() == 0;
  auto direct = TRY(attach_directly(options, mountpoint, kind, attached.kernel_checks_permissions));
  attached.device = direct ? std::move(*direct)
                           : TRY(attach_through_helper(options, mountpoint, kind,
                                                       attached.kernel_checks_permissions));
  auto entry = TRY(find_mount(mountpoint));
  if (!entry)
    return Error(ErrorKind::io,
                 fmt::format("{} disappeared from the mount table immediately", mountpoint));
  attached.entry = std::move(*entry);
  return attached;
}

}  // namespace intact::serve
