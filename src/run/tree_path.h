#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include <intact/base/result.h>
#include <intact/tree/file_tree.h>

namespace intact::run {

/// Where a path of the container ends up.
struct ResolvedPath {
  std::string path;                  ///< absolute, without symlinks, "." and ".."
  std::optional<tree::NodeId> node;  ///< nothing when it does not exist, or is at or below a mount
  /// The path is one of `mounts` or is below one, which hides what the image has there.
  bool below_mount = false;
};

/// Follows `path` inside the tree as the kernel would with the tree as its root: ".." stops at the
/// root, absolute symlinks start there. Components after a missing one are kept as they are, and
/// so is the rest of a path from one of `mounts` on, where the tree says nothing.
/// Errors: limit (more than 40 symlinks), invalid_argument (a file on the way, ".." after a
/// missing component, over 4096 bytes, NUL), and those of the tree.
Result<ResolvedPath> resolve(const tree::FileTree& tree, std::string_view path,
                             const std::set<std::string>& mounts = {});

/// The contents of a regular file of at most `limit` bytes, symlinks followed; not_found when it is
/// missing or has another type.
Result<std::string> read_text(const tree::FileTree& tree, std::string_view path,
                              std::uint64_t limit);

}  // namespace intact::run
