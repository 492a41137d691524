#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/mount.h>
#include <intact/base/result.h>

namespace intact::rootfs {

/// A root file system in the mount table, by FUSE or by the kernel.
struct Mount {
  MountEntry entry;
  std::string image;  ///< the name of the image in its store
  bool by_kernel = false;

  const std::string& directory() const { return entry.mountpoint; }
  /// "kernel", "serving", or "dead" if the server was killed; "unknown" if it has no record and is
  /// another user's, whose server might never answer.
  std::string_view status() const;
  /// Whose process serves it; nothing for the kernel's. Another user's may claim any name and
  /// status.
  std::optional<uid_t> user() const { return by_kernel ? std::nullopt : entry.fuse_user(); }
};

/// The entry as such a mount; nothing if it is another.
std::optional<Mount> as_mount(const MountEntry& entry);

/// Those in the mount namespace of this process, in the order of the mount table.
Result<std::vector<Mount>> list_mounts();

enum class Unmounted {
  done,               ///< everything that the mount held is free again
  server_still_runs,  ///< it has not ended in time
};

/// Unmounts it and waits for the end of its server. `lazy` detaches it although it is in use, and
/// waits for nobody: the server then serves those who still have files open. `directory` is the
/// mountpoint as the caller names it, for messages. busy: in use, with what to do.
Result<Unmounted> unmount(const Mount& mount, const std::string& directory, bool lazy);

/// What unmount_all() has done.
struct UnmountedAll {
  std::vector<std::string> directories;  ///< that are free again
  std::vector<std::string> unended;      ///< of those, whose server still runs
  std::vector<Error> errors;             ///< what is still mounted, and why
};
/// Unmounts everything that list_mounts() has, the newest first: it may be on top of another. The
/// mounts are of all stores: which one an image is from is not in the mount table.
Result<UnmountedAll> unmount_all(bool lazy);

/// The only mount of the image NAME or NAME@DIGEST. not_found: it is not mounted; invalid_argument:
/// it is mounted in several places, which the message names.
Result<Mount> find_mount_of(const std::string& name);

/// Makes room on a directory before something is mounted there: unmounts an image whose server was
/// killed, and returns whether there was one. busy: another image is mounted there;
/// invalid_argument: the directory is /, which cannot be covered.
Result<bool> prepare_directory(const std::string& directory);

/// A mount over a store would hide it from its own server, which would wait for itself:
/// invalid_argument.
Result<void> check_store_is_elsewhere(const std::string& store, const std::string& directory);

}  // namespace intact::rootfs
