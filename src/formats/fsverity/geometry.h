#pragma once

#include <cstdint>
#include <vector>

#include <intact/fsverity/params.h>

namespace intact::fsverity {

/// The layout of a Merkle tree: pure arithmetic, no I/O. A hash block holds the
/// hashes of `hashes_per_block` blocks of the level below; level 0 holds those of the data blocks,
/// the highest level is one block, whose hash is the root. Files of at most one data block have no
/// hash blocks. Stored form: levels from the highest down to 0, blocks in order within each.
class Geometry {
 public:
  struct Level {
    std::uint64_t blocks;       ///< hash blocks of this level
    std::uint64_t first_block;  ///< index in the stored tree of the first of them
  };

  /// `data_size` in bytes, at most INT64_MAX (no file is larger).
  Geometry(std::uint64_t data_size, const Params& params);

  std::uint64_t data_size() const { return data_size_; }
  std::uint32_t block_size() const { return block_size_; }
  std::uint64_t data_blocks() const { return data_blocks_; }
  std::uint32_t hashes_per_block() const { return hashes_per_block_; }
  const std::vector<Level>& levels() const { return levels_; }
  std::uint64_t tree_size() const { return tree_blocks_ * block_size_; }  ///< bytes

 private:
  std::uint64_t data_size_;
  std::uint32_t block_size_;
  std::uint32_t hashes_per_block_;
  std::uint64_t data_blocks_;
  std::uint64_t tree_blocks_ = 0;
  std::vector<Level> levels_;
};

}  // namespace intact::fsverity
