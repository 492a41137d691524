#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <intact/base/result.h>
#include <intact/composefs/read.h>
#include <intact/erofs/image.h>

namespace intact::composefs {

/// A name met on a walk over an image.
struct WalkItem {
  const std::string& path;  ///< absolute; "/" for the root
  std::string_view name;    ///< its last component; empty for the root
  std::size_t depth;        ///< components of the path
  const erofs::Inode& inode;
  bool seen_before;  ///< a further name of a file that was visited already
};

/// Returns false to end the walk.
using WalkVisit = std::function<Result<bool>(const WalkItem&)>;

/// Visits every name of the image depth first, parents before children, children in byte order;
/// real whiteouts are left out. Ends for every image, in time linear in its size: malformed where
/// directories form anything but a tree or share their entries, limit for paths beyond kPathMax.
Result<void> walk_image(const erofs::Image& image, const ReadOptions& options,
                        const WalkVisit& visit);

}  // namespace intact::composefs
