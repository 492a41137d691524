#pragma once

#include <cstdint>

namespace intact::composefs {

/// Where the data of an inode goes: whole blocks in the data area, the rest right after the inode.
struct SizeParts {
  std::uint64_t blocks = 0;
  std::uint32_t tail = 0;  ///< bytes
};

/// log2 of the chunk size of a sparse file of `size` (not 0) bytes: one chunk up to 8 TiB.
std::uint32_t chunk_bits(std::uint64_t size);
/// Chunks of such a file.
std::uint64_t chunk_count(std::uint64_t size);

/// The parts of inline content: a remainder of more than half a block gets a block of its own.
SizeParts content_parts(std::uint64_t size);

/// Cuts the names of a directory into blocks, one name at a time.
class DirectoryPacker {
 public:
  /// Whether a name of `length` bytes begins a new block.
  bool add(std::size_t length);
  SizeParts parts() const;

 private:
  std::uint64_t blocks_ = 0;
  std::uint32_t used_ = 0;  ///< bytes of the current block
};

/// An inode put in its place.
struct Placement {
  std::uint64_t offset;  ///< byte of the inode; a multiple of 32
  SizeParts parts;       ///< the tail may have become a block
  std::uint64_t end;     ///< byte after inode, attributes and tail
};

/// Places an inode at the first possible offset from `position` on, so that its tail crosses no
/// block boundary. `head` is the size of inode and attributes in bytes.
Placement place_inode(std::uint64_t position, std::uint64_t head, SizeParts parts);
/// The same for a symlink, which is kept together with its target in one block if possible.
Placement place_symlink(std::uint64_t position, std::uint64_t head, SizeParts parts);

}  // namespace intact::composefs
