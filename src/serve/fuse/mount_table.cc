#include <algorithm>
#include <climits>
#include <string>

#include <fmt/format.h>
#include <unistd.h>

#include <intact/base/bytes.h>
#include <intact/base/file.h>
#include <intact/base/mount.h>
#include <intact/base/text.h>
#include <intact/serve/mounts.h>

namespace intact::serve {

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

uid_t MountEntry::user() const {
  constexpr std::string_view kKey = "user_id=";
  const std::size_t at = super_options.find(kKey);
  if (at == std::string::npos) return ::geteuid();
  std::string_view number = std::string_view(super_options).substr(at + kKey.size());
  return take_number<uid_t>(number).value_or(::geteuid());
}

bool MountEntry::may_be_asked() const {
  const uid_t mounter = user();
  return mounter == ::geteuid() || mounter == 0;
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

Result<std::optional<MountEntry>> find_mount(const std::string& path) {
  const UniqueFd fd = TRY(open_file(path, O_PATH));
  const int id = TRY(mount_number(fd.get()));
  std::string real_path(PATH_MAX, '\0');
  const ssize_t length = ::readlink(fmt::format("/proc/self/fd/{}", fd.get()).c_str(),
                                    real_path.data(), real_path.size());
  if (length < 0) return Error::from_errno("cannot read /proc/self/fd", errno);
  real_path.resize(static_cast<std::size_t>(length));

  const Bytes table = TRY(read_file("/proc/self/mountinfo", kTableLimit));
  for (MountEntry& entry : TRY(parse_mount_table(as_text(table))))
    if (entry.id == id && entry.mountpoint == real_path) return std::optional(std::move(entry));
  return std::optional<MountEntry>();
}

}  // namespace intact::serve
