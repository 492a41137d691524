#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <intact/base/result.h>
#include <intact/serve/mounts.h>

namespace intact::cli {

/// A mount made by `intact mount`, by FUSE or by the kernel.
struct IntactMount {
  serve::MountEntry entry;
  std::string image;  ///< the name of the image in its store
  bool by_kernel = false;

  const std::string& directory() const { return entry.mountpoint; }
  /// "kernel", "serving", or "dead" if the server was killed; "unknown" if it has no record and is
  /// another user's, whose server might never answer.
  std::string_view status() const;
};

/// Whether the entry is such a mount.
bool is_intact_mount(const serve::MountEntry& entry);

/// Those in the mount namespace of this process, in the order of the mount table.
Result<std::vector<IntactMount>> list_intact_mounts();

/// Those of the image NAME or NAME@DIGEST.
Result<std::vector<IntactMount>> find_mounts_of(std::string_view name);

}  // namespace intact::cli
