#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/damage.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>

namespace intact::erofs {

/// Bytes of a disk image.
struct ByteRange {
  std::uint64_t offset;
  std::uint64_t length;
};

/// The files that damage affects, by paths in the order of the tree.
struct DamagedFiles {
  /// For each range the files whose content, inode or names it contains, with all names of a hard
  /// link. A directory that cannot be read is named "PATH/...": its content is unknown.
  std::vector<std::vector<std::string>> in_range;
  /// Files whose content cannot be located, because their layout is not supported or contradicts
  /// itself. "PATH/...": everything below that directory.
  std::vector<std::string> not_looked_into;
};

/// Looks the ranges up in the EROFS in `image`, compressed or not; finds nothing in an image that
/// is not an EROFS. Content that several files share affects each of them.
///
/// `image` must fail damaged reads, so that no wrong metadata is used. Ranges must be sorted and
/// must not overlap. unsupported: an EROFS feature that we cannot read.
Result<DamagedFiles> files_in(std::shared_ptr<const ByteSource> image,
                              const std::vector<ByteRange>& ranges);

/// The same for each damage of a volume, of which the object `object` is what the image reads and
/// has ranges; for damage of other objects nothing is found.
Result<DamagedFiles> files_of(std::shared_ptr<const ByteSource> image,
                              const std::vector<Damage>& damaged, std::string_view object);

}  // namespace intact::erofs
