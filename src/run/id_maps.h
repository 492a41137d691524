#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include <intact/base/result.h>
#include <intact/run/bundle.h>

namespace intact::run {

/// The ids that an account may use besides its own: its first line in /etc/subuid or /etc/subgid
/// (see subuid(5)), which names it or gives its number. `host` is the first id there; `container`
/// is 1. Nothing when no line fits or it does not parse.
std::optional<IdRange> find_subordinate_ids(std::string_view text, std::string_view name,
                                            std::uint32_t uid);

/// Parses /proc/PID/uid_map or gid_map. malformed when the text is neither.
Result<std::vector<IdRange>> parse_id_map(std::string_view text);

/// How the ids of our user namespace are mapped.
struct IdMapPlan {
  std::uint32_t uid = 0, gid = 0;  ///< our own, which become root's there
  /// Both or neither: ids that newuidmap and newgidmap map as well.
  std::optional<IdRange> more_uids, more_gids;
};

/// Plans for the calling process's account, with what its files and programs allow.
IdMapPlan plan_id_maps();

/// Maps with newuidmap and newgidmap, from outside the namespace that `process` has just made.
Result<void> map_ids_from_outside(const IdMapPlan& plan, pid_t process);

/// Maps our own ids only, from inside the namespace. No privileges needed.
Result<void> map_ids_from_inside(const IdMapPlan& plan);

}  // namespace intact::run
