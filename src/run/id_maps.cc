#include "id_maps.h"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/text.h>

#include "process.h"

namespace intact::run {
namespace {

constexpr std::uint64_t kMaxFile = 1024 * 1024;

std::optional<IdRange> subordinate_ids_from(const char* path, std::string_view name,
                                            std::uint32_t uid) {
  const auto text = read_file(path, kMaxFile);
  if (!text) return std::nullopt;
  return find_subordinate_ids(as_text(*text), name, uid);
}

Result<void> write_proc(const char* path, const std::string& text) {
  const UniqueFd fd = TRY(open_file(path, O_WRONLY));
  return write_all(fd.get(), as_bytes(text)).context(path);
}

}  // namespace

std::optional<IdRange> find_subordinate_ids(std::string_view text, std::string_view name,
                                            std::uint32_t uid) {
  const std::string number = std::to_string(uid);
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    const std::string_view who = take_until(line, ':');
    if (who.empty() || (who != name && who != number)) continue;
    const auto start = whole_number<std::uint32_t>(take_until(line, ':'));
    const auto count = whole_number<std::uint32_t>(line);
    if (!start || !count || *count == 0 || *start > UINT32_MAX - *count) return std::nullopt;
    return IdRange{.container = 1, .host = *start, .size = *count};
  }
  return std::nullopt;
}

Result<std::vector<IdRange>> parse_id_map(std::string_view text) {
  std::vector<IdRange> ranges;
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    std::vector<std::uint32_t> numbers;
    while (!line.empty()) {
      const std::string_view word = take_until(line, ' ');
      if (word.empty()) continue;
      const auto number = whole_number<std::uint32_t>(word);
      if (!number) return Error(ErrorKind::malformed, "not an id map");
      numbers.push_back(*number);
    }
    if (numbers.empty()) continue;
    if (numbers.size() != 3) return Error(ErrorKind::malformed, "not an id map");
    ranges.push_back({numbers[0], numbers[1], numbers[2]});
  }
  return ranges;
}

IdMapPlan plan_id_maps() {
  IdMapPlan plan{.uid = ::geteuid(), .gid = ::getegid(), .more_uids = {}, .more_gids = {}};
  if (find_executable("newuidmap").empty() || find_executable("newgidmap").empty()) return plan;
  const passwd* account = ::getpwuid(plan.uid);
  const std::string name = account ? account->pw_name : "";
  plan.more_uids = subordinate_ids_from("/etc/subuid", name, plan.uid);
  plan.more_gids = subordinate_ids_from("/etc/subgid", name, plan.uid);
  if (!plan.more_uids || !plan.more_gids) plan.more_uids = plan.more_gids = std::nullopt;
  return plan;
}

Result<void> map_ids_from_outside(const IdMapPlan& plan, pid_t process) {
  const auto map = [&](const char* program, std::uint32_t own,
                       const IdRange& more) -> Result<void> {
    const std::vector<std::string> command = {find_executable(program),
                                              std::to_string(process),
                                              "0",
                                              std::to_string(own),
                                              "1",
                                              std::to_string(more.container),
                                              std::to_string(more.host),
                                              std::to_string(more.size)};
    const auto done = TRY(run_and_capture(command));
    if (done.status == 0) return {};
    return Error(ErrorKind::unsupported,
                 fmt::format("{} failed with status {}", program, done.status));
  };
  TRY(map("newuidmap", plan.uid, *plan.more_uids));
  return map("newgidmap", plan.gid, *plan.more_gids);
}

Result<void> map_ids_from_inside(const IdMapPlan& plan) {
  // Without this the kernel lets nobody unprivileged map a group.
  TRY(write_proc("/proc/self/setgroups", "deny"));
  TRY(write_proc("/proc/self/uid_map", fmt::format("0 {} 1", plan.uid)));
  return write_proc("/proc/self/gid_map", fmt::format("0 {} 1", plan.gid));
}

}  // namespace intact::run
