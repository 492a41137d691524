#pragma once

#include <cstdint>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/erofs/format.h>

#include "inode_plan.h"
#include "layout.h"
#include "node_ranges.h"
#include "numbering.h"
#include "shared_xattrs.h"

namespace intact::composefs {

/// Lays an image out, then writes it: two passes over the inodes, which compute the same for each.
/// Both take a range of them at a time, several ranges at once.
class ImageWriter {
 public:
  ImageWriter(Numbering& numbering, const SharedXattrs& shared,
              const std::vector<NodeRange>& ranges, unsigned format_version, unsigned threads)
      : numbering_(numbering),
        shared_(shared),
        ranges_(ranges),
        format_version_(format_version),
        threads_(threads) {}

  Result<Bytes> write();

 private:
  /// Writes the inodes of a range; their data go into the blocks from `next_block` on.
  class RangeWriter;

  Result<void> measure(std::size_t range);
  Placement place(NodeNumber number, std::uint64_t position) const;
  Result<void> lay_out();
  void write_superblock();
  MutableByteSpan at(std::uint64_t offset) { return MutableByteSpan(image_).subspan(offset); }

  Numbering& numbering_;
  const SharedXattrs& shared_;
  const std::vector<NodeRange>& ranges_;
  unsigned format_version_;
  unsigned threads_;

  std::vector<InodeSize> sizes_;              ///< by number
  std::vector<std::uint64_t> blocks_before_;  ///< by range: the data blocks of those before it
  std::uint64_t inodes_end_ = 0;              ///< byte; the table of shared attributes begins here
  std::uint64_t data_begin_ = 0;              ///< byte, a multiple of the block size
  std::uint64_t data_blocks_ = 0;             ///< how many
  Bytes image_;
};

}  // namespace intact::composefs
