#include <algorithm>
#include <cerrno>
#include <cstdint>
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
namespace {

// Tens of thousands of mounts; /proc has no bound of its own.
constexpr std::uint64_t kTableLimit = 64u << 20;

bool is_octal(char c) {
  return c >= '0' && c <= '7';
}

/// The kernel writes blanks, newlines and backslashes of names as \ooo.
std::string unescape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && is_octal(text[i + 1]) && is_octal(text[i + 2]) &&
        is_octal(text[i + 3])) {
      out +=
          static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + text[i + 3] - '0');
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

/// `36 35 98:0 /root /mnt rw,noatime shared:1 master:2 - ext3 /dev/root rw,errors=continue`:
/// the fields before the lone dash vary in number.
Result<MountEntry> parse_line(std::string_view line) {
  const Error bad(ErrorKind::malformed, fmt::format("not a line of a mount table: \"{}\"", line));
  std::string_view rest = line;
  MountEntry entry;
  const auto id = whole_number<decltype(entry.id)>(take_until(rest, ' '));
  if (!id) return Error(bad);
  entry.id = *id;
  take_until(rest, ' ');  // the parent's number
  entry.device = take_until(rest, ' ');
  take_until(rest, ' ');  // which part of the file system is mounted
  entry.mountpoint = unescape(take_until(rest, ' '));
  if (entry.mountpoint.empty()) return Error(bad);
  do {
    if (rest.empty()) return Error(bad);
  } while (take_until(rest, ' ') != "-");
  entry.type = unescape(take_until(rest, ' '));
  entry.source = unescape(take_until(rest, ' '));
  entry.super_options = take_until(rest, ' ');
  if (entry.type.empty()) return Error(bad);
  return entry;
}

}  // namespace

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

std::optional<uid_t> MountEntry::fuse_user() const {
  // The kernel writes these options; the names that the server chose are fields of their own.
  constexpr std::string_view kUser = "user_id=";
  const std::string_view options = super_options;
  const std::size_t at = options.find(kUser);
  if (!is_fuse() || at == std::string_view::npos || (at != 0 && options[at - 1] != ','))
    return std::nullopt;
  std::string_view number = options.substr(at + kUser.size());
  return take_number<uid_t>(number);
}

bool MountEntry::may_be_asked() const {
  if (!is_fuse()) return true;
  const auto user = fuse_user();
  return user && (*user == ::geteuid() || *user == 0);
}

Result<std::vector<MountEntry>> parse_mount_table(std::string_view text) {
  std::vector<MountEntry> entries;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (end > 0) entries.push_back(TRY(parse_line(text.substr(0, end))));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return entries;
}

Result<std::vector<MountEntry>> mount_table() {
  const Bytes table = TRY(read_file("/proc/self/mountinfo", kTableLimit));
  return parse_mount_table(as_text(table));
}

Result<std::optional<uid_t>> fuse_user(int number) {
  const Error unknown(ErrorKind::untrusted, "on a FUSE file system whose user is not known");
  for (const MountEntry& entry : TRY(mount_table())) {
    if (entry.id != number) continue;
    if (!entry.is_fuse()) return std::optional<uid_t>();
    const auto user = entry.fuse_user();
    return user ? Result<std::optional<uid_t>>(user) : unknown;
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
