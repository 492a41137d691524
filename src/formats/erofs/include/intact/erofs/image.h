#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/erofs/format.h>
#include <intact/tree/attributes.h>

namespace intact::erofs {

/// The superblock, checked.
struct Superblock {
  std::uint64_t root_nid = 0;
  std::uint64_t inodes = 0;
  tree::Timestamp build_time;      ///< mtime of compact inodes
  std::uint64_t size = 0;          ///< bytes; nothing beyond belongs to the image
  std::uint64_t meta_offset = 0;   ///< byte that nids count from
  std::uint64_t xattr_offset = 0;  ///< byte that shared attribute ids count from
  std::uint64_t packed_nid = 0;    ///< of the inode that holds the fragments; 0: none
};

/// An inode, checked: all its offsets are within the image.
struct Inode {
  std::uint64_t nid = 0;
  std::uint32_t ino = 0;
  tree::Attributes attributes;
  Layout layout = Layout::plain;
  std::uint64_t xattr_offset = 0;  ///< bytes
  std::uint32_t xattr_size = 0;    ///< bytes; 0: no attributes
  std::uint64_t data_offset = 0;   ///< bytes; of the whole blocks, if there are any
  std::uint64_t tail_offset = 0;   ///< bytes; after the attributes
  std::uint32_t chunk_bits = 0;    ///< log2 of the chunk size, chunk-based inodes only
  bool chunk_indexes = false;      ///< chunks are named by a RawChunkIndex each

  bool is_directory() const { return attributes.is_directory(); }
};

/// A name in a directory. "." and ".." are names like others.
struct Dirent {
  std::string_view name;  ///< valid during the call that passes it
  std::uint64_t nid;
  FileType type;
};

/// What files an image may have.
enum class Accept {
  readable,  ///< those that can be read; anything else is unsupported
  mappable,  ///< also compressed ones: ExtentMap can locate them, Image::read refuses them
};

/// Strict reader of an EROFS image. Opens in constant time and keeps only the superblock; every
/// call reads what it needs from the source. Thread-safe.
///
/// Every offset and index is checked before it is followed. malformed: not a well-formed image;
/// unsupported: perhaps well-formed, but with features that format.h does not describe. It looks
/// at one inode or block at a time: callers must detect loops among directories and limit totals
/// over the image.
class Image {
 public:
  static Result<std::unique_ptr<Image>> open(std::shared_ptr<const ByteSource> source,
                                             Accept accept = Accept::readable);

  const Superblock& superblock() const { return superblock_; }
  const ByteSource& source() const { return *source_; }
  std::uint64_t root() const { return superblock_.root_nid; }

  Result<Inode> inode(std::uint64_t nid) const;

  /// Calls `emit` for the names of a directory in stored (byte) order, beginning after `cookie`
  /// (0: from the start); `next` is the cookie that continues after the entry. Stops before the
  /// entry for which `emit` returns false. An error of `emit` ends the listing and is returned.
  using Emit = std::function<Result<bool>(const Dirent&, std::uint64_t next)>;
  Result<void> list(const Inode& directory, std::uint64_t cookie, const Emit& emit) const;

  struct Found {
    std::uint64_t nid;
    FileType type;
  };
  /// Binary search; nothing if the name does not exist.
  Result<std::optional<Found>> lookup(const Inode& directory, std::string_view name) const;

  /// All extended attributes with their full names: the inode's own, then the shared ones. No two
  /// have the same name. limit if they take more than 1 MiB together.
  Result<std::vector<tree::Xattr>> xattrs(const Inode& inode) const;

  /// Reads content of a regular file or symlink that the image itself holds: exactly `out.size()`
  /// bytes at byte `offset`, all within the file. Chunk-based and compressed files are
  /// unsupported.
  Result<void> read(const Inode& inode, std::uint64_t offset, MutableByteSpan out) const;

  /// The target of a symlink: 1 to 4095 bytes, none of them NUL.
  Result<std::string> read_link(const Inode& symlink) const;

 private:
  Image(std::shared_ptr<const ByteSource> source, Superblock superblock, Accept accept)
      : source_(std::move(source)), superblock_(superblock), accept_(accept) {}
  Result<ByteSpan> directory_block(const Inode& directory, std::uint64_t block,
                                   MutableByteSpan buffer) const;
  Result<void> read_shared_xattr(std::uint32_t id, std::vector<tree::Xattr>& out) const;

  std::shared_ptr<const ByteSource> source_;
  Superblock superblock_;
  Accept accept_;
};

}  // namespace intact::erofs
