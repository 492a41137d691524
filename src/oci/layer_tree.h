#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <intact/base/result.h>
#include <intact/tree/tree.h>

namespace intact::oci {

/// limit: a path that is too long for the image, as its symlinks lead. `limit` in bytes.
Error path_too_long(std::uint32_t limit);

/// What one layer says, beside the tree of the layers below, until the two are merged. Paths are
/// resolved in the union of both as it stands at that moment. Not thread-safe.
class LayerTree {
 public:
  struct Limits {
    std::uint32_t path_bytes;
    std::uint32_t depth;
    std::uint32_t symlinks;
  };

  LayerTree(tree::Tree& lower, const Limits& limits);

  /// A directory in the union: its part in this layer and the part of lower layers that is still
  /// to be seen. Both null: there is nothing yet. Valid until the union changes there.
  struct Place {
    tree::Inode* upper;
    tree::Inode* lower;
  };

  /// A directory and the way to it, symlinks resolved.
  struct Directory {
    std::vector<std::string> names;  ///< from the root
    std::vector<Place> places;       ///< of the root and of each name
    bool exists() const { return places.back().upper || places.back().lower; }
    std::string path() const;
  };

  /// Follows `components` with all symlinks, within the root. Directories that do not exist are
  /// fine. malformed: a component is something else than a directory, or symlinks run in a circle.
  /// limit: what symlinks lead through is out of all proportion to the number of paths, so that
  /// no small layer takes hours ("a/../a/../..." in each of forty links that lead to each other).
  Result<Directory> resolve(const std::vector<std::string>& components);

  /// The file of that name, symlinks not followed; null when there is none.
  tree::InodePtr find(const Directory& directory, std::string_view name) const;

  /// What add() met.
  enum class Added { fresh, duplicate };

  /// Sets the attributes of the root directory.
  Added set_root(tree::Inode attributes);
  /// Puts a file into a directory, in the place of whatever this layer had there; over a directory
  /// a directory brings its attributes only. Missing parents are created.
  Added add(Directory& directory, const std::string& name, tree::Entry entry);
  /// Hides the name, or all names, of lower layers. What is not there needs no hiding.
  void white_out(Directory& directory, const std::string& name);
  void make_opaque(Directory& directory);

  /// Directories that no entry described and that were made all the same. One entry can imply many.
  std::uint64_t implied() const { return implied_; }

  /// Moves everything into the lower tree. The object is of no more use.
  void merge();

 private:
  struct Marks {
    bool implicit = false;  ///< no entry described it: where a lower one exists, that one holds
    bool opaque = false;
    std::set<std::string, std::less<>> whiteouts;
  };

  /// What the targets of symlinks may have in components: for a layer, and for each path besides.
  static constexpr std::uint64_t kTargetComponents = 200'000;
  static constexpr std::uint64_t kTargetComponentsOfAPath = 64;

  const Marks* marks(const tree::Inode* directory) const;
  Place child(const Place& place, std::string_view name, tree::InodePtr* visible) const;
  tree::Inode& materialize(Directory& directory);

  tree::Tree& lower_;
  Limits limits_;
  tree::Tree upper_;
  std::uint64_t implied_ = 0;
  std::uint64_t resolved_ = 0;           // paths
  std::uint64_t target_components_ = 0;  // of the symlinks that they led through
  /// Only directories that need them have marks. Keys are inodes of upper_ or of replaced_.
  std::unordered_map<const tree::Inode*, Marks> marks_;
  std::vector<tree::InodePtr> replaced_;  ///< kept, so that no other inode gets their address
};

}  // namespace intact::oci
