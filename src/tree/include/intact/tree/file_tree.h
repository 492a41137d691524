#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/tree/attributes.h>

namespace intact::tree {

/// Names an inode of a FileTree. All names of a hard-linked file share one.
enum class NodeId : std::uint64_t {};

struct DirectoryEntry {
  std::string_view name;  ///< valid only during the call
  NodeId node;
  std::uint32_t type;  ///< S_IFMT bits
};

/// Totals for statfs(2).
struct Statistics {
  std::uint64_t inodes = 0;
  std::uint64_t bytes = 0;  ///< size of the metadata image, in bytes
};

/// An open regular file. Concurrent reads are safe.
class OpenFile {
 public:
  virtual ~OpenFile() = default;
  /// Reads `out.size()` bytes at byte `offset`, fewer only at the end of the file; returns the
  /// count. Every byte has been verified. If any byte of the range fails, the whole read fails
  /// (tampered) and `out` holds nothing to be used.
  virtual Result<std::size_t> read(std::uint64_t offset, MutableByteSpan out) = 0;
};

/// A read-only file tree as a front end serves it: formats implement it, front ends know only
/// this interface. Thread-safe. Everything it returns has been verified first; errors: not_found,
/// tampered (EIO), io, invalid_argument (wrong type of file).
class FileTree {
 public:
  virtual ~FileTree() = default;
  virtual NodeId root() const = 0;
  virtual Result<Attributes> attributes(NodeId node) const = 0;
  virtual Result<NodeId> lookup(NodeId directory, std::string_view name) const = 0;
  virtual Result<NodeId> parent(NodeId directory) const = 0;  ///< ".."; the root is its own parent

  /// Passes the entries of a directory to `emit` in byte order without "." and "..", starting after
  /// `cookie` (0: from the start). `emit` gets each entry with the cookie that continues after it
  /// and returns false to stop before it.
  virtual Result<void> list(
      NodeId directory, std::uint64_t cookie,
      const std::function<bool(const DirectoryEntry&, std::uint64_t next)>& emit) const = 0;

  virtual Result<std::string> read_link(NodeId symlink) const = 0;
  virtual Result<std::vector<std::string>> list_xattrs(NodeId node) const = 0;
  virtual Result<std::string> get_xattr(NodeId node,
                                        std::string_view name) const = 0;  ///< not_found if absent
  virtual Result<std::shared_ptr<OpenFile>> open(NodeId file) const = 0;
  virtual Statistics statistics() const = 0;
};

}  // namespace intact::tree
