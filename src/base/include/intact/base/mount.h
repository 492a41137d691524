#pragma once

#include <optional>
#include <string>

#include <sys/types.h>

#include <intact/base/result.h>

namespace intact {

/// The kernel's number, as in mountinfo, of the mount that an open file is on. Does not ask the
/// file system, whose server may be dead or hang. unsupported: the kernel does not tell it.
Result<int> mount_number(int fd);

/// The user whose FUSE server answers for the mount of that number, which may claim anything about
/// its files and may never answer; nothing for other file systems. Does not ask the server.
/// untrusted: the mount table does not tell.
Result<std::optional<uid_t>> fuse_user(int number);

/// Unmounts the mount with that number from `path`, an absolute path without symbolic links, as
/// mountinfo has it. Nothing else is unmounted, whatever somebody makes of the path meanwhile: its
/// directories are opened one by one without following links, and what is mounted in the last one
/// must have the number. `lazy` detaches it although it is in use. Returns 0 or an errno; ESTALE:
/// something else is there.
int unmount_number(const std::string& path, int number, bool lazy);

}  // namespace intact
