#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <intact/base/result.h>

#include "layout.h"
#include "numbering.h"
#include "rewrite.h"

namespace intact::composefs {

/// Everything about an inode that its place and its bytes follow from.
struct InodePlan {
  ImageInode inode;
  const std::vector<XattrView>* xattrs;
  /// For each of them its place in the shared table, or SharedXattrs::kNotShared.
  std::span<const std::uint32_t> places;
  std::size_t shared_count = 0;  ///< of the attributes, how many are shared
  std::size_t xattr_area = 0;    ///< bytes
  bool extended = false;
  SizeParts parts;           ///< before the inode is placed
  std::size_t head() const;  ///< bytes of inode and attributes
};

/// What is kept of a plan from the layout to the writing.
struct InodeSize {
  std::uint32_t head;    ///< bytes
  std::uint32_t tail;    ///< bytes; with `blocks` the parts before the inode is placed
  std::uint64_t blocks;  ///< of data
};

/// Plans the inodes of a range one after the other.
class InodePlanner {
 public:
  /// `places`: SharedXattrs::places() of the range.
  InodePlanner(const Numbering& numbering, unsigned format_version,
               std::span<const std::uint32_t> places)
      : numbering_(numbering), rewriter_(numbering, format_version), places_(places) {}

  /// The next inode, which must be `number`. Its views live until the next call. `known`: the size
  /// that an earlier plan has found.
  Result<InodePlan> next(NodeNumber number, const InodeSize* known = nullptr);

  std::uint32_t mode(const Numbering::Node& node) const { return rewriter_.mode(node); }

 private:
  SizeParts directory_parts(NodeNumber number) const;
  SizeParts parts_of(const ImageInode& inode, NodeNumber number) const;

  const Numbering& numbering_;
  Rewriter rewriter_;
  std::span<const std::uint32_t> places_;  ///< of the inodes that are still to come
  std::vector<std::uint32_t> own_places_;  ///< where an inode has too many that are shared
};

}  // namespace intact::composefs
