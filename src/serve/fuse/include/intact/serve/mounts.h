#pragma once

#include <optional>
#include <string>

#include <intact/base/mount.h>
#include <intact/base/result.h>

namespace intact::serve {

/// The mount whose root is `path`; nothing for an ordinary file or directory. Never contacts the
/// server of a FUSE mount, which may be dead or hang. not_found: no such path.
Result<std::optional<MountEntry>> find_mount(const std::string& path);

/// Whether it is a FUSE mount whose server is gone ("Transport endpoint is not connected"). False
/// if its server may not be asked, or nobody can reach it.
bool is_dead_mount(const MountEntry& entry);
/// Unmounts such a mount on `path`, or several on top of each other, and nothing else.
/// Returns whether there was one.
Result<bool> clear_dead_mount(const std::string& path);

/// Unmounts the FUSE mount at `mountpoint`, with umount2(2) or with fusermount3. `lazy` detaches
/// a mount immediately even if it is in use. not_found: not a FUSE mount; busy.
Result<void> unmount(const std::string& mountpoint, bool lazy = false);
/// The same for a mount that was found before, and for nothing else that may be there now.
Result<void> unmount(const MountEntry& entry, bool lazy);

}  // namespace intact::serve
