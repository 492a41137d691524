#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <intact/base/result.h>
#include <intact/base/stream.h>

namespace intact::cli {

/// Bytes of a disk image.
struct ByteRange {
  std::uint64_t offset;
  std::uint64_t length;
};

/// Whom damage concerns, by paths in the order of the tree.
struct DamagedFiles {
  /// For each range the files whose content, inode or names lie in it, with all names of a hard
  /// link. A directory that cannot be read is named "PATH/...": what is below it is not known.
  std::vector<std::vector<std::string>> in_range;
  /// Files of which it is not known where their content lies, since they are of a form that we do
  /// not know, or contradict themselves. "PATH/...": all below that directory.
  std::vector<std::string> not_looked_into;
};

/// Looks the ranges up in the EROFS in `image`, compressed or not; nothing is found in an image
/// that is no EROFS. Content that several files share concerns each of them.
///
/// `image` must refuse damaged reads, so that nothing wrong is believed. Ranges must be in order
/// and apart. unsupported: an EROFS that we cannot read.
Result<DamagedFiles> files_in(std::shared_ptr<const ByteSource> image,
                              const std::vector<ByteRange>& ranges);

}  // namespace intact::cli
