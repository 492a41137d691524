#include <algorithm>
#include <cerrno>
#include <string_view>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <unistd.h>

#include <intact/base/directory.h>
#include <intact/base/file.h>
#include <intact/base/mount.h>
#include <intact/base/text.h>
#include <intact/base/unique_fd.h>

namespace intact {

Result<int> mount_number(int fd) {
  // statx(2) tells it too, but would ask the server of a FUSE mount first.
  const std::string path = "/proc/self/fdinfo/" + std::to_string(fd);
  const Bytes bytes = TRY(read_file(path, 4096));
  const std::string_view text = as_text(bytes);
  constexpr std::string_view kKey = "mnt_id:";
  const std::size_t at = text.find(kKey);
  if (at == std::string_view::npos)
    return Error(ErrorKind::unsupported, path + " does not tell the mount");
  std::string_view value = text.substr(at + kKey.size());
  value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
  const auto number = take_number<int>(value);
  if (!number) return Error(ErrorKind::malformed, path + " has no number after mnt_id");
  return *number;
}

Result<std::optional<uid_t>> fuse_user(int number) {
  constexpr std::uint64_t kMaxTable = 64 << 20;
  const Bytes table = TRY(read_file("/proc/self/mountinfo", kMaxTable));
  const std::string start = std::to_string(number) + " ";
  const Error unknown(ErrorKind::untrusted, "on a FUSE file system whose user is not known");
  for (std::string_view rest = as_text(table); !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (!line.starts_with(start)) continue;
    if (line.find(" - fuse") == std::string_view::npos) return std::nullopt;
    // The last field, after the name that the server chose, is the kernel's.
    const std::string_view options = line.substr(line.rfind(' ') + 1);
    constexpr std::string_view kUser = "user_id=";
    const std::size_t at = options.find(kUser);
    if (at == std::string_view::npos || (at != 0 && options[at - 1] != ',')) return unknown;
    std::string_view value = options.substr(at + kUser.size());
    const auto user = take_number<uid_t>(value);
    if (!user) return unknown;
    return user;
  }
  return unknown;
}

Result<void> check_may_be_asked(int fd) {
  const int number = TRY(mount_number(fd));
  // In a chroot the table lacks the mount that / is on.
  const UniqueFd root = TRY(open_file("/", O_PATH | O_DIRECTORY));
  if (number == TRY(mount_number(root.get()))) return {};
  const auto user = TRY(fuse_user(number));
  if (!user || *user == ::geteuid() || *user == 0) return {};
  return Error(ErrorKind::untrusted, fmt::format("on the FUSE file system of user {}", *user),
               EACCES);
}

namespace {

/// What open_unasked() opens, and the directory that it is in.
struct Opened {
  UniqueFd parent, last;
  std::string name;  ///< of the last in its parent
};

Result<Opened> walk(const std::string& path) {
  if (path.size() < 2 || path.front() != '/' || path.back() == '/')
    return Error(ErrorKind::invalid_argument, path + ": not an absolute path to a file", EINVAL);
  Opened at;
  at.last = TRY(open_file("/", O_PATH | O_DIRECTORY));
  int asked = -1;  // the mount that was checked last
  for (std::string_view rest = std::string_view(path).substr(1); !rest.empty();) {
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    at.name = std::string(rest.substr(0, slash));
    rest.remove_prefix(std::min(slash + 1, rest.size()));
    at.parent = std::move(at.last);
    const int number = TRY(mount_number(at.parent.get()));
    if (number != asked) TRY(check_may_be_asked(at.parent.get()).context(path));
    asked = number;
    at.last = TRY(open_at(at.parent.get(), at.name, O_PATH | O_NOFOLLOW).context(path));
  }
  return at;
}

}  // namespace

Result<UniqueFd> open_unasked(const std::string& path) {
  return TRY(walk(path)).last;
}

int unmount_number(const std::string& path, int number, bool lazy) {
  auto at = walk(path);
  if (!at) return at.error().sys_errno() != 0 ? at.error().sys_errno() : EIO;
  const auto found = mount_number(at->last.get());
  if (!found || *found != number) return ESTALE;
  // The descriptor is this very mount, and does not keep it from being detached.
  if (lazy) {
    const std::string mounted = "/proc/self/fd/" + std::to_string(at->last.get());
    return ::umount2(mounted.c_str(), MNT_DETACH) == 0 ? 0 : errno;
  }
  // It would keep it busy. What is mounted cannot be renamed here, so that the name stays what it
  // is; in an older mount namespace of theirs the owner of the parent can rename it, and could
  // within this moment put another mount on a directory of theirs in its place.
  at->last.reset();
  const std::string place = "/proc/self/fd/" + std::to_string(at->parent.get()) + "/" + at->name;
  return ::umount2(place.c_str(), UMOUNT_NOFOLLOW) == 0 ? 0 : errno;
}

}  // namespace intact
