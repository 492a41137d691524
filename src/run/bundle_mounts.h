#pragma once

#include <intact/run/bundle.h>

namespace intact::run {

/// Decides what is mounted where in the container, which mount points that needs, and which mounts
/// hide the image, for a `bundle` whose other parts are already decided. Destinations are resolved
/// in the tree; parents come before children. Errors: as of plan_bundle().
Result<void> plan_mounts(const tree::FileTree& tree, const ProcessImage& image,
                         const RunOptions& options, const HostFacts& host, Bundle& bundle);

}  // namespace intact::run
