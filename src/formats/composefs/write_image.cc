#include <algorithm>

#include <fmt/format.h>

#include <intact/composefs/write.h>

#include "format.h"
#include "image_writer.h"

namespace intact::composefs {

Result<Bytes> write_image(const tree::Tree& tree, const WriteOptions& options) {
  const unsigned max_version = std::max(options.min_version, options.max_version);
  if (max_version > kMaxFormatVersion)
    return Error(ErrorKind::invalid_argument,
                 fmt::format("cannot write composefs format version {}; use 0 or 1", max_version));
  Numbering numbering = TRY(Numbering::create(tree));
  unsigned version = options.min_version;
  if (version < 1 && max_version >= 1 && numbering.has_whiteouts()) version = 1;

  const auto ranges = node_ranges(numbering.nodes().size(), options.threads);
  const auto shared = TRY(SharedXattrs::collect(numbering, version, ranges, options.threads));
  return ImageWriter(numbering, shared, ranges, version, options.threads).write();
}

}  // namespace intact::composefs
