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
  std::optional<tree::NodeId> node;  ///< nothing when it is not there, or lies below a mount
  /// The path is one of `mounts` or lies below one: what the image has there is hidden.
  bool below_mount = false;
};

/// Follows `path` inside the tree as the kernel would with the tree as its root: ".." stops at the
/// root, absolute symlinks start there. Components behind a missing one are kept as they are. From
/// one of `mounts` on the tree says nothing any more and the rest of the path is kept too.
/// Errors: limit (more than 40 symlinks), invalid_argument (a file on the way, ".." behind a
/// missing component, over 4096 bytes, NUL), and those of the tree.
Result<ResolvedPath> resolve(const tree::FileTree& tree, std::string_view path,
                             const std::set<std::string>& mounts = {});

/// The whole of a regular file of at most `limit` bytes, symlinks followed; not_found when it is
/// missing or of another type.
Result<std::string> read_text(const tree::FileTree& tree, std::string_view path,
                              std::uint64_t limit);

}  // namespace intact::run
