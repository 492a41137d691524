#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/digest.h>
#include <intact/base/result.h>
#include <intact/tree/attributes.h>

namespace intact::tree {

struct Inode;
using InodePtr = std::shared_ptr<Inode>;

/// One name in a directory. Of the names of an inode exactly one is the primary name, where the
/// inode is described and numbered; the others have `hard_link` set.
struct Entry {
  InodePtr inode;
  bool hard_link = false;
};

/// The names of a directory in byte order, which is the order of every format here.
using Entries = std::map<std::string, Entry, std::less<>>;

/// A file of any type. Plain data: the caller that fills it in keeps its parts consistent.
struct Inode {
  Attributes attributes;
  std::vector<Xattr> xattrs;  ///< names are unique; order is free

  /// Symlink: the target. Regular file: path of the backing object below the object directory
  /// ("ab/cdef..."), empty when there is none.
  std::string payload;
  /// Regular file: content kept in the image itself; empty when there is none.
  std::string content;
  /// Regular file: fs-verity digest of the content that the backing object must have.
  std::optional<Digest> digest;

  Entries entries;  ///< directories only

  const Xattr* find_xattr(std::string_view name) const;
  /// Adds or replaces.
  void set_xattr(std::string_view name, std::string_view value);
};

/// A whole file tree in memory: what layers are applied to, what image writers write and what the
/// dump format describes. Owns its inodes; not thread-safe.
class Tree {
 public:
  /// A tree of a root directory only: mode 0755, owner 0:0, mtime 0, nlink 2.
  Tree();
  Tree(Tree&&) = default;
  Tree& operator=(Tree&&) = default;
  ~Tree();

  Inode& root() { return *root_; }
  const Inode& root() const { return *root_; }
  const InodePtr& root_ptr() const { return root_; }

  /// Looks up an absolute or relative path by its components, without following symlinks; "." and
  /// empty components are skipped, ".." is not found. Null when there is no such file.
  InodePtr find(std::string_view path) const;

  /// Calls `visit(path, entry)` for every name below the root and the root itself ("/"), parents
  /// first, children in byte order (depth first). Stops at the first error and returns it.
  Result<void> walk(
      const std::function<Result<void>(const std::string& path, const Entry& entry)>& visit) const;

  /// Makes the smallest path in walk order the primary name of each inode with several names, sets
  /// nlink of files to the number of their names and of directories to 2 + subdirectories.
  void normalize_links();

 private:
  InodePtr root_;
};

/// "regular file", "directory", ... for messages.
std::string_view type_name(std::uint32_t mode);

}  // namespace intact::tree
