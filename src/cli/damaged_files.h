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

/// Whom damage concerns: for each range the files of the EROFS in `image` whose content, attributes
/// or names lie in it, by their paths in the order of the tree, with all names of a hard link. A
/// directory that cannot be read is named "PATH/...", for what is below it is not known. No paths
/// for an image that is no EROFS.
///
/// `image` must refuse damaged reads, so that nothing wrong is believed. Ranges must be in order
/// and apart. unsupported: an EROFS that we cannot read, e.g. a compressed one.
Result<std::vector<std::vector<std::string>>> files_in(std::shared_ptr<const ByteSource> image,
                                                       const std::vector<ByteRange>& ranges);

}  // namespace intact::cli
