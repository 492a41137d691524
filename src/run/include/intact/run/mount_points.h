#pragma once

#include <memory>
#include <string>
#include <vector>

#include <intact/base/result.h>
#include <intact/tree/file_tree.h>

namespace intact::run {

/// A place of the container that something is mounted on.
struct MountPoint {
  std::string path;       ///< as resolve() gives it
  bool directory = true;  ///< false: a regular file
  bool optional = false;  ///< the mount can be left out where the place cannot be added
};

/// The same tree with an empty directory or file (owned by root) wherever one of `points` is
/// missing, together with missing parents: a runtime cannot make them on a read-only root, and
/// images from scratch have none. Returns the same tree when nothing is missing. invalid_argument
/// when a point exists with the other type, or a parent is not a directory.
Result<std::shared_ptr<const tree::FileTree>> add_mount_points(
    std::shared_ptr<const tree::FileTree> tree, const std::vector<MountPoint>& points);

}  // namespace intact::run
