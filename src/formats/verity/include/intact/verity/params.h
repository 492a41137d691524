#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>

namespace intact::verity {

constexpr std::uint32_t kMinBlockSize = 512;     ///< bytes
constexpr std::uint32_t kMaxBlockSize = 524288;  ///< bytes, as veritysetup has it
constexpr std::size_t kMaxSaltSize = 256;        ///< bytes

/// How a block and the salt become a digest.
enum class HashType : std::uint32_t {
  chrome_os = 0,  ///< salt after the block; digests packed without gaps
  normal = 1,     ///< salt before the block; digests in cells of a power of two
};

/// Everything that determines a hash tree besides the data. The root hash does not cover any of it:
/// what a superblock says is a claim. The root hash confirms the claim only in part; see
/// docs/threat-model.md, "Superblocks of dm-verity".
struct Params {
  HashType hash_type = HashType::normal;
  std::string hash = "sha256";           ///< a name as the kernel's crypto API has it
  std::uint32_t data_block_size = 4096;  ///< bytes, a power of two
  std::uint32_t hash_block_size = 4096;  ///< bytes, a power of two
  std::uint64_t data_blocks = 0;         ///< how many blocks of data_block_size are covered
  Bytes salt = {};                       ///< up to 256 bytes

  bool operator==(const Params&) const = default;
};

/// Whether both block sizes are powers of two in range: what can be said before the number of
/// blocks is known. invalid_argument.
Result<void> check_block_sizes(const Params& params);

/// The size of a digest of params.hash in bytes. invalid_argument: a field is out of range, or the
/// area is larger than a file can be; unsupported: an unknown hash.
Result<std::size_t> check_params(const Params& params);

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
