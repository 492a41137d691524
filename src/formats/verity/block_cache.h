#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include <intact/base/bytes.h>

namespace intact::verity {

/// Verified hash blocks of one tree, by their index. Beyond the limit, the block that has not been
/// used for the longest time is dropped; blocks that were returned stay valid. Thread-safe.
class BlockCache {
 public:
  using Block = std::shared_ptr<const Bytes>;

  explicit BlockCache(std::size_t max_blocks) : max_blocks_(max_blocks) {}

  std::size_t max_blocks() const { return max_blocks_; }
  Block find(std::uint64_t index);  ///< null if not there
  void insert(std::uint64_t index, Block block);

 private:
  using Entry = std::pair<std::uint64_t, Block>;

  std::size_t max_blocks_;
  std::mutex mutex_;
  std::list<Entry> entries_;  // the most recently used in front
  std::unordered_map<std::uint64_t, std::list<Entry>::iterator> places_;
};

}  // namespace intact::verity
