#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

#include <intact/run/user.h>

namespace intact::run {
namespace {

constexpr std::uint32_t kMaxId = std::numeric_limits<std::int32_t>::max();
// What setgroups(2) takes is 65536; nobody needs a fraction of it.
constexpr std::size_t kMaxGroups = 1024;

std::optional<std::uint32_t> parse_id(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty() || value > kMaxId)
    return std::nullopt;
  return value;
}

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// The next part of `rest` up to `separator`, which is taken off too.
std::string_view take(std::string_view& rest, char separator) {
  const auto end = rest.find(separator);
  const std::string_view part = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  return part;
}

struct PasswdLine {
  std::string_view name, home;
  std::uint32_t uid, gid;
};

std::optional<PasswdLine> parse_passwd_line(std::string_view line) {
  if (std::count(line.begin(), line.end(), ':') != 6) return std::nullopt;
  PasswdLine out;
  out.name = take(line, ':');
  take(line, ':');
  const auto uid = parse_id(take(line, ':'));
  const auto gid = parse_id(take(line, ':'));
  take(line, ':');
  out.home = take(line, ':');
  if (out.name.empty() || out.name.front() == '#' || !uid || !gid) return std::nullopt;
  out.uid = *uid;
  out.gid = *gid;
  return out;
}

struct GroupLine {
  std::string_view name, members;
  std::uint32_t gid;
};

std::optional<GroupLine> parse_group_line(std::string_view line) {
  if (std::count(line.begin(), line.end(), ':') != 3) return std::nullopt;
  GroupLine out;
  out.name = take(line, ':');
  take(line, ':');
  const auto gid = parse_id(take(line, ':'));
  out.members = line;
  if (out.name.empty() || out.name.front() == '#' || !gid) return std::nullopt;
  out.gid = *gid;
  return out;
}

/// The first line that satisfies `wanted`.
template <typename Line, typename Parse, typename Wanted>
std::optional<Line> find_line(std::string_view text, Parse parse, Wanted wanted) {
  while (!text.empty())
    if (const std::optional<Line> line = parse(take(text, '\n')); line && wanted(*line))
      return line;
  return std::nullopt;
}

bool has_member(std::string_view members, std::string_view name) {
  while (!members.empty())
    if (take(members, ',') == name) return true;
  return false;
}

Error too_big(std::string_view what, std::string_view number) {
  return Error(ErrorKind::invalid_argument, std::string(what) + " " + std::string(number) +
                                                " is out of range (0 to 2147483647)");
}

}  // namespace

Result<User> find_user(std::string_view spec, std::string_view passwd, std::string_view group) {
  const auto colon = spec.find(':');
  const std::string_view who = spec.substr(0, colon);
  const std::string_view in =
      colon == std::string_view::npos ? std::string_view() : spec.substr(colon + 1);
  if ((colon != std::string_view::npos && (who.empty() || in.empty())) ||
      spec.find('\0') != std::string_view::npos || in.find(':') != std::string_view::npos)
    return Error(ErrorKind::invalid_argument,
                 "user \"" + std::string(spec) + "\" is not of the form USER[:GROUP]");

  const std::string_view wanted = who.empty() ? "0" : who;
  auto line = find_line<PasswdLine>(passwd, parse_passwd_line,
                                    [&](const PasswdLine& l) { return l.name == wanted; });
  if (!line && all_digits(wanted)) {
    const auto uid = parse_id(wanted);
    if (!uid) return too_big("user id", wanted);
    line = find_line<PasswdLine>(passwd, parse_passwd_line,
                                 [&](const PasswdLine& l) { return l.uid == *uid; });
    if (!line) line = PasswdLine{.name = {}, .home = "/", .uid = *uid, .gid = 0};
  }
  if (!line)
    return Error(ErrorKind::not_found,
                 "no user \"" + std::string(who) + "\" in /etc/passwd of the image");

  User user{.uid = line->uid, .gid = line->gid, .groups = {}, .home = "/"};
  // A home that would not survive as an environment variable or path is as good as none.
  if (line->home.starts_with('/') && line->home.find('\0') == std::string_view::npos)
    user.home = std::string(line->home);

  if (!in.empty()) {
    const auto named = find_line<GroupLine>(group, parse_group_line,
                                            [&](const GroupLine& l) { return l.name == in; });
    if (named) {
      user.gid = named->gid;
    } else if (all_digits(in)) {
      const auto gid = parse_id(in);
      if (!gid) return too_big("group id", in);
      user.gid = *gid;
    } else {
      return Error(ErrorKind::not_found,
                   "no group \"" + std::string(in) + "\" in /etc/group of the image");
    }
    return user;
  }
  if (line->name.empty()) return user;
  for (std::string_view rest = group; !rest.empty();) {
    const auto other = parse_group_line(take(rest, '\n'));
    if (!other || other->gid == user.gid || !has_member(other->members, line->name)) continue;
    user.groups.push_back(other->gid);
    if (user.groups.size() > kMaxGroups)
      return Error(ErrorKind::limit, "user \"" + std::string(line->name) + "\" is in over " +
                                         std::to_string(kMaxGroups) + " groups of the image");
  }
  std::sort(user.groups.begin(), user.groups.end());
  user.groups.erase(std::unique(user.groups.begin(), user.groups.end()), user.groups.end());
  return user;
}

}  // namespace intact::run
