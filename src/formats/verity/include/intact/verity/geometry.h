#pragma once

#include <cstdint>
#include <vector>

#include <intact/base/result.h>
#include <intact/verity/params.h>

namespace intact::verity {

/// Where everything is in a hash tree: pure arithmetic, no I/O.
///
/// Level 0 holds the digests of the data blocks, level n + 1 those of the hash blocks of level n;
/// the highest level is one hash block, whose digest is the root hash. A single data block has no
/// hash blocks: the root hash is its own digest. Stored form: the highest level first, level 0
/// last, each in order; the first block is hash block `hash_start` of the hash device.
class Geometry {
 public:
  struct Level {
    std::uint64_t blocks;       ///< hash blocks of this level
    std::uint64_t first_block;  ///< of the hash area, in hash blocks from its start
  };

  /// check_params, and then the layout.
  static Result<Geometry> create(const Params& params);

  std::uint32_t data_block_size() const { return data_block_size_; }
  std::uint32_t hash_block_size() const { return hash_block_size_; }
  std::uint64_t data_blocks() const { return data_blocks_; }
  std::uint64_t data_size() const { return data_blocks_ * data_block_size_; }  ///< bytes
  std::size_t digest_size() const { return digest_size_; }                     ///< bytes
  /// Bytes from one digest to the next in a hash block.
  std::size_t slot_size() const { return slot_size_; }
  /// Digests in a full hash block: a power of two.
  std::uint64_t hashes_per_block() const { return std::uint64_t{1} << hashes_per_block_bits_; }
  unsigned hashes_per_block_bits() const { return hashes_per_block_bits_; }

  const std::vector<Level>& levels() const { return levels_; }
  std::uint64_t hash_blocks() const { return hash_blocks_; }
  std::uint64_t hash_size() const { return hash_blocks_ * hash_block_size_; }  ///< bytes

  /// How many digests level `level` holds: data blocks, or hash blocks of the level below.
  std::uint64_t digests(std::size_t level) const {
    return level == 0 ? data_blocks_ : levels_[level - 1].blocks;
  }

 private:
  Geometry() = default;

  std::uint32_t data_block_size_ = 0;
  std::uint32_t hash_block_size_ = 0;
  std::uint64_t data_blocks_ = 0;
  std::size_t digest_size_ = 0;
  std::size_t slot_size_ = 0;
  unsigned hashes_per_block_bits_ = 0;
  std::uint64_t hash_blocks_ = 0;
  std::vector<Level> levels_;
};

}  // namespace intact::verity
