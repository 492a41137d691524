#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include <intact/base/result.h>

namespace intact::serve {

/// A line of /proc/self/mountinfo.
struct MountEntry {
  int id = 0;              ///< the kernel's number of the mount
  std::string device;      ///< "MAJOR:MINOR" of the file system
  std::string mountpoint;  ///< absolute path, unescaped
  std::string type;        ///< e.g. "ext4", "fuse.intact"
  std::string source;
  std::string super_options;  ///< comma-separated

  bool is_fuse() const { return type == "fuse" || type.starts_with("fuse."); }
  /// Who mounted it, as FUSE's options tell; otherwise the user of this process.
  uid_t user() const;
  /// Whether its server may be asked anything: that of another user but root may never
  /// answer.
  bool may_be_asked() const;
};

/// Parses the text of a mountinfo file; malformed if it is not one.
Result<std::vector<MountEntry>> parse_mount_table(std::string_view text);

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
