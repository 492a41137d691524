#pragma once

#include <intact/run/bundle.h>

namespace intact::run {

/// Decides on what is mounted where in the container, and on the mount points that this takes, for
/// `bundle`, whose other parts are decided already. Destinations are resolved in the tree; parents
/// come before children. Errors: as of plan_bundle().
Result<void> plan_mounts(const tree::FileTree& tree, const ProcessImage& image,
                         const RunOptions& options, const HostFacts& host, Bundle& bundle);

}  // namespace intact::run
