#pragma once

#include <string>

#include <intact/base/result.h>
#include <intact/run/bundle.h>
#include <intact/tree/file_tree.h>

namespace intact::run {

/// Gives each mount of the bundle that does not come from the image a source below `room`:
/// - volumes: mounted there, read-only in all their depth where asked for, so that they stay what
///   the path means now;
/// - what the image makes writable (Mount::shared_tmpfs): directories of one tmpfs, so that
///   Bundle::tmpfs_size limits all of them together, with a copy of what `tree` (with its mount
///   points) has there;
/// - other copy_up mounts of which `tree` has something: a tmpfs with a copy;
/// - files with content: written there.
///
/// The copies count towards Bundle::limits.memory, which is reduced by what they take. Errors:
/// those of the tree, limit (the copies do not fit), io.
Result<void> stage_mounts(Bundle& bundle, const tree::FileTree& tree, const std::string& room);

}  // namespace intact::run
