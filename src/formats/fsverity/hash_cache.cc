#include <algorithm>
#include <list>
#include <mutex>
#include <unordered_map>
#include <utility>

#include <sys/random.h>

#include <intact/fsverity/hash_cache.h>

namespace intact::fsverity {
namespace {

/// Readers of different blocks seldom wait for each other; a small cache has a single order.
constexpr std::size_t kMaxShards = 16;
constexpr std::size_t kShardSize = 1 << 20;

std::uint64_t mix(std::uint64_t x) {
  x ^= x >> 32;
  x *= 0x9e3779b97f4a7c15;
  x ^= x >> 29;
  x *= 0xbf58476d1ce4e5b9;
  return x ^ x >> 32;
}

struct Key {
  Digest file;
  std::uint64_t index;
  std::uint64_t hash;
  bool operator==(const Key& other) const { return index == other.index && file == other.file; }
};

struct KeyHash {
  std::size_t operator()(const Key& key) const noexcept { return key.hash; }
};

std::uint64_t hash_of(const Digest& file, std::uint64_t index, std::uint64_t seed) {
  return mix(mix(std::hash<Digest>()(file) ^ seed) + index);
}

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  (void)!::getrandom(&seed, sizeof seed, 0);
  return seed;
}

}  // namespace

/// A part of the blocks, by hash.
class HashCache::Shard {
 public:
  explicit Shard(std::size_t max_size) : max_size_(max_size) {}

  Block find(const Key& key) {
    const std::lock_guard lock(mutex_);
    const auto place = places_.find(key);
    if (place == places_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, place->second);
    return place->second->second;
  }

  void insert(const Key& key, Block block) {
    const std::lock_guard lock(mutex_);
    // Two threads that missed at the same time bring the same block.
    if (places_.contains(key)) return;
    size_ += cost(*block);
    entries_.emplace_front(key, std::move(block));
    places_.emplace(key, entries_.begin());
    // The newest stays even if it alone is too large: what comes next often needs it.
    while (size_ > max_size_ && entries_.size() > 1) {
      size_ -= cost(*entries_.back().second);
      places_.erase(entries_.back().first);
      entries_.pop_back();
    }
  }

  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return size_;
  }

 private:
  using Entry = std::pair<Key, Block>;

  /// With two copies of the key, the nodes that hold them, the block's own header and what malloc
  /// adds to each of these.
  static std::size_t cost(const Bytes& block) { return block.size() + 2 * sizeof(Key) + 160; }

  const std::size_t max_size_;
  mutable std::mutex mutex_;
  std::size_t size_ = 0;
  std::list<Entry> entries_;  ///< the most recently used first
  std::unordered_map<Key, std::list<Entry>::iterator, KeyHash> places_;
};

HashCache::HashCache(std::size_t max_size) : max_size_(max_size), seed_(random_seed()) {
  const std::size_t shards = std::clamp<std::size_t>(max_size / kShardSize, 1, kMaxShards);
  for (std::size_t i = 0; i < shards; ++i) {
    leaves_.push_back(std::make_unique<Shard>(share(Level::leaf) / shards));
    upper_.push_back(std::make_unique<Shard>(share(Level::upper) / shards));
  }
}

HashCache::~HashCache() = default;

HashCache::Block HashCache::find(const Digest& file, Level level, std::uint64_t index) {
  const Key key{file, index, hash_of(file, index, seed_)};
  auto& shards = level == Level::leaf ? leaves_ : upper_;
  return shards[(key.hash >> 48) % shards.size()]->find(key);
}

void HashCache::insert(const Digest& file, Level level, std::uint64_t index, Block block) {
  const Key key{file, index, hash_of(file, index, seed_)};
  auto& shards = level == Level::leaf ? leaves_ : upper_;
  shards[(key.hash >> 48) % shards.size()]->insert(key, std::move(block));
}

bool HashCache::reserve(Level level, std::size_t bytes) {
  auto& reserved = reserved_[static_cast<std::size_t>(level)];
  if (reserved.fetch_add(bytes, std::memory_order_relaxed) + bytes <= share(level)) return true;
  release(level, bytes);
  return false;
}

void HashCache::release(Level level, std::size_t bytes) {
  reserved_[static_cast<std::size_t>(level)].fetch_sub(bytes, std::memory_order_relaxed);
}

std::size_t HashCache::size() const {
  std::size_t sum = 0;
  for (const auto* shards : {&leaves_, &upper_})
    for (const auto& shard : *shards) sum += shard->size();
  return sum;
}

}  // namespace intact::fsverity
