#include <algorithm>
#include <limits>
#include <optional>

#include <intact/base/text.h>
#include <intact/run/bundle.h>

namespace intact::run {
namespace {

constexpr std::uint32_t kMaxId = std::numeric_limits<std::int32_t>::max();
// setgroups(2) takes 65536; real images use a fraction of this.
constexpr std::size_t kMaxGroups = 1024;

std::optional<std::uint32_t> parse_id(std::string_view text) {
  const auto value = whole_number<std::uint32_t>(text);
  return value <= kMaxId ? value : std::nullopt;
}

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

constexpr std::string_view kBlanks = " \t\v\f\r";

std::string_view skip_blanks(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  return text;
}

/// The next line as glibc takes it: without leading blanks, and ending at a NUL.
std::string_view take_line(std::string_view& rest) {
  const std::string_view line = skip_blanks(take_until(rest, '\n'));
  return line.substr(0, line.find('\0'));
}

/// Whether a line with this name counts. glibc reserves + and - for NIS, and # begins a comment.
bool is_account(std::string_view name) {
  return !name.empty() && name.front() != '#' && name.front() != '+' && name.front() != '-';
}

struct PasswdLine {
  std::string_view name, home;
  std::uint32_t uid, gid;
};

/// As glibc: everything after the two numbers may be missing, and the last field is the rest.
std::optional<PasswdLine> parse_passwd_line(std::string_view line) {
  PasswdLine out;
  out.name = take_until(line, ':');
  take_until(line, ':');
  const auto uid = parse_id(skip_blanks(take_until(line, ':')));
  const auto gid = parse_id(skip_blanks(take_until(line, ':')));
  take_until(line, ':');
  out.home = take_until(line, ':');
  if (!is_account(out.name) || !uid || !gid) return std::nullopt;
  out.uid = *uid;
  out.gid = *gid;
  return out;
}

struct GroupLine {
  std::string_view name, members;
  std::uint32_t gid;
};

std::optional<GroupLine> parse_group_line(std::string_view line) {
  GroupLine out;
  out.name = take_until(line, ':');
  take_until(line, ':');
  const auto gid = parse_id(skip_blanks(take_until(line, ':')));
  out.members = line;
  if (!is_account(out.name) || !gid) return std::nullopt;
  out.gid = *gid;
  return out;
}

/// The first line that satisfies `wanted`.
template <typename Line, typename Parse, typename Wanted>
std::optional<Line> find_line(std::string_view text, Parse parse, Wanted wanted) {
  while (!text.empty())
    if (const std::optional<Line> line = parse(take_line(text)); line && wanted(*line)) return line;
  return std::nullopt;
}

bool has_member(std::string_view members, std::string_view name) {
  while (!members.empty())
    if (skip_blanks(take_until(members, ',')) == name) return true;
  return false;
}

/// The number in `text`. Digits are always a number and never a name: /etc/passwd of an image could
/// otherwise make a number mean root. Nothing when it is not a number.
Result<std::optional<std::uint32_t>> parse_number(std::string_view what, std::string_view text) {
  if (!all_digits(text)) return std::optional<std::uint32_t>();
  if (const auto id = parse_id(text)) return std::optional(*id);
  return Error(ErrorKind::invalid_argument,
               std::string(what) + " " + std::string(text) + ": out of range (0 to 2147483647)");
}

Error unknown(std::string_view what, std::string_view name, std::string_view file) {
  return Error(ErrorKind::not_found, std::string(what) + " \"" + std::string(name) +
                                         "\": no such entry in " + std::string(file) +
                                         " of the image");
}

}  // namespace

Result<User> find_user(std::string_view spec, std::string_view passwd, std::string_view group) {
  const auto colon = spec.find(':');
  const std::string_view who = spec.substr(0, colon);
  const std::string_view in =
      colon == std::string_view::npos ? std::string_view() : spec.substr(colon + 1);
  if (spec.find('\0') != std::string_view::npos || in.find(':') != std::string_view::npos)
    return Error(ErrorKind::invalid_argument,
                 "user \"" + std::string(spec) + "\": not of the form USER[:GROUP]");

  const std::string_view wanted = who.empty() ? "0" : who;
  const std::optional<std::uint32_t> number = TRY(parse_number("user", wanted));
  auto line = find_line<PasswdLine>(passwd, parse_passwd_line, [&](const PasswdLine& l) {
    return number ? l.uid == *number : l.name == wanted;
  });
  if (!line && number) line = PasswdLine{.name = {}, .home = "/", .uid = *number, .gid = 0};
  if (!line) return unknown("user", who, "/etc/passwd");

  User user{.uid = line->uid, .gid = line->gid, .groups = {}, .home = "/"};
  // A home that could not be an environment variable or a path counts as none.
  if (line->home.starts_with('/')) user.home = std::string(line->home);

  if (!in.empty()) {
    if (const auto gid = TRY(parse_number("group", in))) {
      user.gid = *gid;
      return user;
    }
    const auto named = find_line<GroupLine>(group, parse_group_line,
                                            [&](const GroupLine& l) { return l.name == in; });
    if (!named) return unknown("group", in, "/etc/group");
    user.gid = named->gid;
    return user;
  }
  if (line->name.empty()) return user;
  for (std::string_view rest = group; !rest.empty();) {
    const auto other = parse_group_line(take_line(rest));
    if (!other || other->gid == user.gid || !has_member(other->members, line->name)) continue;
    user.groups.push_back(other->gid);
    if (user.groups.size() > kMaxGroups)
      return Error(ErrorKind::limit, "user \"" + std::string(line->name) + "\": in more than " +
                                         std::to_string(kMaxGroups) + " groups of the image");
  }
  std::sort(user.groups.begin(), user.groups.end());
  user.groups.erase(std::unique(user.groups.begin(), user.groups.end()), user.groups.end());
  return user;
}

}  // namespace intact::run
