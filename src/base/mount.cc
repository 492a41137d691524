#include <algorithm>
#include <cerrno>
#include <string_view>

#include <fcntl.h>
#include <sys/mount.h>

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

int unmount_number(const std::string& path, int number, bool lazy) {
  if (path.empty() || path.front() != '/' || path.back() == '/') return EINVAL;
  UniqueFd parent(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  std::string_view rest = std::string_view(path).substr(1);
  for (std::size_t slash; parent && (slash = rest.find('/')) != std::string_view::npos;) {
    const std::string name(rest.substr(0, slash));
    rest.remove_prefix(slash + 1);
    parent = UniqueFd(
        ::openat(parent.get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  }
  if (!parent) return errno;
  const std::string name(rest);
  {
    // What is mounted is not renamed, so the name stays what it is from here to the call.
    const UniqueFd mounted(::openat(parent.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!mounted) return errno;
    const auto found = mount_number(mounted.get());
    if (!found || *found != number) return ESTALE;
  }
  const std::string place = "/proc/self/fd/" + std::to_string(parent.get()) + "/" + name;
  const int flags = UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0);
  return ::umount2(place.c_str(), flags) == 0 ? 0 : errno;
}

}  // namespace intact
