#include "block_cache.h"

namespace intact::verity {

BlockCache::Block BlockCache::find(std::uint64_t index) {
  const std::lock_guard lock(mutex_);
  const auto place = places_.find(index);
  if (place == places_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, place->second);
  return place->second->second;
}

void BlockCache::insert(std::uint64_t index, Block block) {
  const std::lock_guard lock(mutex_);
  // Two threads that missed at the same time bring the same block.
  if (places_.contains(index)) return;
  entries_.emplace_front(index, std::move(block));
  places_.emplace(index, entries_.begin());
  if (entries_.size() <= max_blocks_) return;
  places_.erase(entries_.back().first);
  entries_.pop_back();
}

}  // namespace intact::verity
