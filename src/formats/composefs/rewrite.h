#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/result.h>
#include <intact/tree/tree.h>

#include "numbering.h"

namespace intact::composefs {

struct XattrView {
  std::string_view name;
  std::string_view value;
};

/// What an inode looks like in the image: whiteouts turned into files, the rest as in the tree.
/// Views into the tree.
struct ImageInode {
  tree::Attributes attributes;  ///< of a directory size is not set
  std::string_view content;     ///< inline content of a regular file
  bool external = false;        ///< a regular file whose content is not in the image
};

/// Rewrites the inodes of a tree as an overlayfs layer needs them, one at a time and without
/// touching the tree. Not thread-safe.
class Rewriter {
 public:
  Rewriter(const Numbering& numbering, unsigned format_version)
      : numbering_(numbering), format_version_(format_version) {}

  ImageInode inode(const Numbering::Node& node) const;
  std::uint32_t mode(const Numbering::Node& node) const;

  /// The extended attributes that the inode gets in the image, sorted by name. The views live until
  /// the next call. limit when there are more than an image may hold.
  Result<const std::vector<XattrView>*> xattrs(const Numbering::Node& node);

 private:
  Result<void> copy_escaped(const tree::Inode& inode);
  void add_object(const tree::Inode& inode);
  void set(std::string_view name, std::string_view value);

  const Numbering& numbering_;
  unsigned format_version_;
  std::vector<XattrView> xattrs_;
  std::size_t total_ = 0;            ///< what counts against kXattrTotalMax
  std::deque<std::string> renamed_;  ///< escaped names that xattrs_ points to
  std::string redirect_;
  std::array<char, 68> metacopy_{};
};

}  // namespace intact::composefs
