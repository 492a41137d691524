#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>

namespace intact::service {

/// The directory for records and logs of servers: /run/intact for root, $XDG_RUNTIME_DIR/intact for
/// others, otherwise /tmp/intact-UID or, if somebody else has made that, ~/.local/state/intact.
/// Made if missing, private to the user.
Result<std::string> make_runtime_dir();

/// Those of a user's that exist and that nobody else can have written to, open.
std::vector<UniqueFd> open_runtime_dirs(uid_t user);

/// Opens a file of such a directory, which may be another user's: not what a link leads to or what
/// is mounted over it, whose server might never answer. It is regular, unless `flags` has O_PATH.
Result<UniqueFd> open_own_file(int dir, const std::string& name, int flags);

/// What to do about a file that a running process holds: leave it, or replace it.
enum class IfHeld { refuse, replace };

/// Makes the file `name` in that directory, locked while this process, or a child that inherits the
/// descriptor, runs. Removes the records and empty logs of servers that were killed.
Result<UniqueFd> make_runtime_file(const std::string& dir, const std::string& name,
                                   IfHeld if_held = IfHeld::refuse);

/// Locks the directory while the descriptor is open: its files are made and removed by one process
/// at a time.
Result<UniqueFd> lock_directory(const std::string& dir);

/// Begin and end of the names of records.
inline constexpr std::string_view kRecordStart = "mount-";
inline constexpr std::string_view kRecordEnd = ".pid";

}  // namespace intact::service
