#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/erofs/format.h>

#include "layout.h"
#include "numbering.h"
#include "rewrite.h"
#include "shared_xattrs.h"

namespace intact::composefs {

/// Lays an image out, then writes it: two passes over the inodes, which compute the same for each.
class ImageWriter {
 public:
  ImageWriter(Numbering& numbering, Rewriter& rewriter, const SharedXattrs& shared,
              unsigned format_version)
      : numbering_(numbering),
        rewriter_(rewriter),
        shared_(shared),
        format_version_(format_version) {}

  Result<Bytes> write();

 private:
  /// Everything about one inode that its place and its bytes follow from.
  struct Plan {
    ImageInode inode;
    const std::vector<XattrView>* xattrs;
    /// For each of them its place in the shared table; nothing for those that the inode keeps.
    std::span<const std::optional<std::uint64_t>> shared;
    std::size_t shared_count = 0;  ///< of the attributes, how many are shared
    std::size_t xattr_area = 0;    ///< bytes
    bool extended = false;
    SizeParts parts;           ///< before the inode is placed
    std::size_t head() const;  ///< bytes of inode and attributes
  };

  Result<Plan> plan(NodeNumber number);
  Placement place(const Plan& plan, std::uint64_t position) const;
  SizeParts directory_parts(NodeNumber number) const;

  Result<void> lay_out();
  void write_superblock();
  void write_inode(const Plan& plan, const Placement& placement, NodeNumber number);
  void write_xattrs(const Plan& plan, std::uint64_t offset);
  void write_data(const Plan& plan, const Placement& placement, NodeNumber number);
  void write_directory(const Placement& placement, std::uint64_t tail_offset, NodeNumber number);
  MutableByteSpan at(std::uint64_t offset) { return MutableByteSpan(image_).subspan(offset); }

  Numbering& numbering_;
  Rewriter& rewriter_;
  const SharedXattrs& shared_;
  unsigned format_version_;

  std::vector<std::optional<std::uint64_t>> shared_offsets_;  ///< what Plan::shared points to
  std::uint64_t inodes_end_ = 0;   ///< byte; the table of shared attributes begins here
  std::uint64_t data_begin_ = 0;   ///< byte, a multiple of the block size
  std::uint64_t data_blocks_ = 0;  ///< how many
  std::uint64_t next_block_ = 0;   ///< while writing: the next data block of the image
  Bytes image_;
};

}  // namespace intact::composefs
