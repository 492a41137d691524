#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>

namespace intact {

/// A line of /proc/self/mountinfo.
struct MountEntry {
  int id = 0;                 ///< the kernel's number of the mount
  std::string device;         ///< "MAJOR:MINOR" of the file system
  std::string mountpoint;     ///< absolute path, unescaped
  std::string type;           ///< e.g. "ext4", "fuse.intact"
  std::string source;         ///< unescaped; of FUSE: whatever its server likes
  std::string super_options;  ///< comma-separated

  bool is_fuse() const { return type == "fuse" || type.starts_with("fuse."); }
  /// Whose server answers for a FUSE mount; nothing for others, and if the kernel does not tell.
  std::optional<uid_t> fuse_user() const;
  /// Whether its server may be asked anything: that of another user but root may never answer.
  bool may_be_asked() const;
};

/// Parses the text of a mountinfo file; malformed if it is not one.
Result<std::vector<MountEntry>> parse_mount_table(std::string_view text);

/// What is mounted in the mount namespace of this process, in the kernel's order.
Result<std::vector<MountEntry>> mount_table();

/// The kernel's number, as in mountinfo, of the mount that an open file is on. Does not ask the
/// file system, whose server may be dead or hang. unsupported: the kernel does not tell it.
Result<int> mount_number(int fd);

/// The user whose FUSE server answers for the mount of that number, which may claim anything about
/// its files and may never answer; nothing for other file systems. Does not ask the server.
/// untrusted: the mount table does not tell.
Result<std::optional<uid_t>> fuse_user(int number);

/// untrusted: the file is on the FUSE mount of another user but root, whose server may claim
/// anything and may never answer. Does not ask it. `fd` may be open with O_PATH.
Result<void> check_may_be_asked(int fd);

/// Opens an absolute path with O_PATH, one name after the other, without following links and
/// without asking the FUSE server of another user but root: untrusted if the path leads through its
/// mount. What is mounted on the last name is opened without asking anyone.
Result<UniqueFd> open_unasked(const std::string& path);

/// Unmounts the mount with that number from `path`, an absolute path without symbolic links, as
/// mountinfo has it. Nothing else is unmounted, whatever somebody makes of the path meanwhile: its
/// directories are opened by open_unasked(), and what is mounted in the last one must have the
/// number. `lazy` detaches it although it is in use. Returns 0 or an errno; ESTALE: something else
/// is there; EACCES: the path leads through the FUSE mount of another user.
int unmount_number(const std::string& path, int number, bool lazy);

}  // namespace intact
