#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/digest.h>

namespace intact::fsverity {

/// Verified hash blocks of any number of files, within one limit on the memory that they take. The
/// blocks of a file are found by its digest, so two files of the same content share them; beyond
/// the limit, the blocks that have not been used for the longest time are dropped. A block that was
/// found stays valid for as long as its pointer is held. Thread-safe.
class HashCache {
 public:
  using Block = std::shared_ptr<const Bytes>;

  /// The hashes of data, or the hashes of hash blocks. Upper blocks have a quarter of the memory to
  /// themselves: where no hash tree is stored, getting one back costs a pass over much of the data.
  enum class Level { leaf, upper };

  static constexpr std::size_t kDefaultSize = 64 << 20;

  /// `max_size`: bytes of all blocks and of what is needed to find them.
  explicit HashCache(std::size_t max_size = kDefaultSize);
  ~HashCache();
  HashCache(const HashCache&) = delete;
  HashCache& operator=(const HashCache&) = delete;

  /// Null if it is not there. `index`: the block's place in the hash tree of the file.
  Block find(const Digest& file, Level level, std::uint64_t index);
  /// `block` must have been verified up to the digest `file`.
  void insert(const Digest& file, Level level, std::uint64_t index, Block block);

  /// Takes memory for blocks that are being computed and will be inserted later. False when all of
  /// it (as much again as the cache itself) is taken; the caller then keeps no such blocks.
  bool reserve(Level level, std::size_t bytes);
  void release(Level level, std::size_t bytes);

  std::size_t max_size() const { return max_size_; }
  /// Bytes taken now, at most max_size(); what is reserved does not count.
  std::size_t size() const;

 private:
  class Shard;

  /// The share of a level in the memory.
  std::size_t share(Level level) const {
    return level == Level::leaf ? max_size_ / 4 * 3 : max_size_ / 4;
  }

  std::size_t max_size_;
  std::uint64_t seed_;  ///< so that nobody can choose files whose blocks collide
  std::vector<std::unique_ptr<Shard>> leaves_;
  std::vector<std::unique_ptr<Shard>> upper_;
  std::array<std::atomic<std::size_t>, 2> reserved_{};  ///< by level, in bytes
};

}  // namespace intact::fsverity
