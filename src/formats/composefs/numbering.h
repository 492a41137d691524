#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <intact/base/result.h>
#include <intact/tree/tree.h>

namespace intact::composefs {

/// Number of an inode of the image: its position in breadth-first order, the root is 0.
using NodeNumber = std::uint32_t;

/// What a name in a directory refers to.
enum class Child {
  self,      ///< "."
  parent,    ///< ".."
  entry,     ///< an entry of the tree
  whiteout,  ///< one of the 256 names of the root that hide object directories
};

/// The inodes of an image in their order, without a copy of the tree: the tree must outlive it.
/// 16 bytes an inode, and 16 more a directory.
class Numbering {
 public:
  struct Node {
    const tree::Inode* inode;
    std::uint32_t nid = 0;  ///< set when the image is laid out
    std::uint32_t directory = kNoDirectory;
  };
  struct Directory {
    NodeNumber parent;
    NodeNumber first_child;  ///< its children are numbered from here on, hard links skipped
    std::uint32_t subdirectories = 0;
    bool has_whiteouts = false;
  };
  static constexpr std::uint32_t kNoDirectory = UINT32_MAX;

  /// Checks on the way that an image can hold the tree (invalid_argument, limit).
  static Result<Numbering> create(const tree::Tree& tree);

  std::vector<Node>& nodes() { return nodes_; }
  const std::vector<Node>& nodes() const { return nodes_; }
  const Directory& directory(const Node& node) const { return directories_[node.directory]; }
  /// Whether the tree itself has whiteouts.
  bool has_whiteouts() const { return has_whiteouts_; }
  tree::Timestamp earliest_mtime() const { return earliest_; }

  /// Whether it is one of the root's 256. They share an inode that is not part of the tree.
  bool is_root_whiteout(const Node& node) const { return node.inode == &*root_whiteout_; }
  /// A character device 0 of the tree.
  static bool is_whiteout(const tree::Inode& inode) {
    return S_ISCHR(inode.attributes.mode) && inode.attributes.rdev == 0;
  }

  /// Calls `visit(name, target)` for every name of directory `number` in byte order, "." and ".."
  /// among them. `target` is the number of the inode that the name leads to.
  template <typename Visit>
  void each_name(NodeNumber number, Visit visit) const;

 private:
  Numbering() = default;
  Result<void> add_children(NodeNumber number);
  Result<void> add_child(NodeNumber parent, std::string_view name, const tree::Entry& entry);
  NodeNumber append(const tree::Inode& inode);
  Result<void> find_link_targets();

  std::vector<Node> nodes_;
  std::vector<Directory> directories_;
  std::unordered_map<const tree::Inode*, NodeNumber> link_targets_;
  std::unique_ptr<const tree::Inode> root_whiteout_;
  tree::Timestamp earliest_;
  bool has_whiteouts_ = false;
};

/// The names "00" to "ff", in order.
std::string_view root_whiteout_name(unsigned index);

/// Calls `visit(name, child, entry)` for the names that `directory` has in the image, in byte
/// order. `entry` is null for those that are not in the tree.
template <typename Visit>
void merge_names(const tree::Inode& directory, bool is_root, Visit visit) {
  auto entry = directory.entries.begin();
  const auto emit_entries_before = [&](std::string_view name) {
    for (; entry != directory.entries.end() && entry->first < name; ++entry)
      visit(std::string_view(entry->first), Child::entry, &entry->second);
  };
  emit_entries_before(".");
  visit(std::string_view("."), Child::self, nullptr);
  emit_entries_before("..");
  visit(std::string_view(".."), Child::parent, nullptr);
  for (unsigned i = 0; is_root && i < 256; ++i) {
    const std::string_view name = root_whiteout_name(i);
    emit_entries_before(name);
    if (entry == directory.entries.end() || entry->first != name)
      visit(name, Child::whiteout, nullptr);
  }
  for (; entry != directory.entries.end(); ++entry)
    visit(std::string_view(entry->first), Child::entry, &entry->second);
}

template <typename Visit>
void Numbering::each_name(NodeNumber number, Visit visit) const {
  const Node& node = nodes_[number];
  NodeNumber next = directory(node).first_child;
  merge_names(*node.inode, number == 0,
              [&](std::string_view name, Child child, const tree::Entry* entry) {
                switch (child) {
                  case Child::self:
                    return visit(name, number);
                  case Child::parent:
                    return visit(name, directory(node).parent);
                  case Child::whiteout:
                    return visit(name, next++);
                  case Child::entry:
                    if (entry->hard_link) return visit(name, link_targets_.at(entry->inode.get()));
                    return visit(name, next++);
                }
              });
}

}  // namespace intact::composefs
