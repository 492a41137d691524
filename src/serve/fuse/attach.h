#pragma once

#include <string>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>
#include <intact/serve/fuse_server.h>
#include <intact/serve/mounts.h>

namespace intact::serve {

/// A mount whose requests wait on `device`, an open /dev/fuse.
struct Attached {
  UniqueFd device;
  MountEntry entry;
  bool kernel_checks_permissions = false;
};

/// What is mounted, and over what. All but the last are read-only.
enum class MountKind { directory, file, writable_file };

/// Mounts, directly where that is allowed, else through fusermount3. libfuse could do this too, but
/// it writes what goes wrong to stderr instead of returning it.
Result<Attached> attach(const FuseOptions& options, MountKind kind);

}  // namespace intact::serve
