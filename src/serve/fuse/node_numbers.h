#pragma once

#include <cstdint>

#include <intact/tree/file_tree.h>

namespace intact::serve {

/// Translates between the nodes of a tree and FUSE's inode numbers, where 1 is the root and 0 means
/// "none": nodes keep their number, except that conflicting ones trade places. Stateless, so a node
/// always has the same number and nothing needs to be remembered or forgotten. No tree has a node
/// 2^64-1, so node 0 gets that number.
class NodeNumbers {
 public:
  explicit NodeNumbers(tree::NodeId root) : root_(static_cast<std::uint64_t>(root)) {}

  std::uint64_t inode(tree::NodeId node) const {
    return swap(swap(static_cast<std::uint64_t>(node), root_, kRootInode), kNoInode, kLastInode);
  }
  tree::NodeId node(std::uint64_t inode) const {
    return tree::NodeId(swap(swap(inode, kNoInode, kLastInode), root_, kRootInode));
  }

 private:
  static constexpr std::uint64_t kNoInode = 0;
  static constexpr std::uint64_t kRootInode = 1;
  static constexpr std::uint64_t kLastInode = UINT64_MAX;

  static std::uint64_t swap(std::uint64_t value, std::uint64_t a, std::uint64_t b) {
    return value == a ? b : value == b ? a : value;
  }

  std::uint64_t root_;
};

}  // namespace intact::serve
