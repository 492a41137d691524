#include "hash_tree.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace intact::verity {

HashTree::HashTree(const Geometry& geometry, crypto::BlockHasher data, crypto::BlockHasher hash)
    : geometry_(geometry), data_digester_(std::move(data)), hash_digester_(std::move(hash)) {}

Result<std::unique_ptr<HashTree>> HashTree::create(const Params& params, const Geometry& geometry,
                                                   ByteSpan root,
                                                   std::shared_ptr<const ByteSource> hash,
                                                   std::uint64_t offset,
                                                   std::optional<FecDecoder> fec,
                                                   std::size_t cache_size) {
  if (root.size() != geometry.digest_size())
    return Error(ErrorKind::invalid_argument,
                 fmt::format("root hash: has {} bytes, but {} hashes have {}", root.size(),
                             params.hash, geometry.digest_size()));
  std::unique_ptr<HashTree> tree(
      new HashTree(geometry, TRY(make_block_digester(params, params.data_block_size)),
                   TRY(make_block_digester(params, params.hash_block_size))));
  tree->root_.assign(root.begin(), root.end());
  tree->hash_ = std::move(hash);
  tree->offset_ = offset;
  tree->fec_ = std::move(fec);
  const std::size_t blocks = std::max<std::size_t>(cache_size / geometry.hash_block_size(), 4);
  tree->leaves_ = std::make_unique<BlockCache>(blocks / 4 * 3);
  tree->upper_ = std::make_unique<BlockCache>(blocks / 4);
  return tree;
}

ByteSpan HashTree::digest_in(const Bytes& parent, std::uint64_t index) const {
  const std::uint64_t slot = index & (geometry_.hashes_per_block() - 1);
  return ByteSpan(parent).subspan(slot * geometry_.slot_size(), geometry_.digest_size());
}

std::uint64_t HashTree::place_of(Node node) const {
  return geometry_.levels()[static_cast<std::size_t>(node.level)].first_block + node.index;
}

Node HashTree::node_at(std::uint64_t hash_block) const {
  int level = static_cast<int>(geometry_.levels().size()) - 1;
  // Stored from the top down.
  while (hash_block >= geometry_.levels()[static_cast<std::size_t>(level)].first_block +
                           geometry_.levels()[static_cast<std::size_t>(level)].blocks)
    --level;
  return {level, hash_block - geometry_.levels()[static_cast<std::size_t>(level)].first_block};
}

Result<Bytes> HashTree::expected_digest(Node node, Correction correction) const {
  const int parent = node.level + 1;
  if (parent == static_cast<int>(geometry_.levels().size())) return root_;
  const Block block =
      TRY(this->block(parent, node.index >> geometry_.hashes_per_block_bits(), correction));
  const ByteSpan digest = digest_in(*block, node.index);
  return Bytes(digest.begin(), digest.end());
}

bool HashTree::has_digest(Node node, ByteSpan content, ByteSpan digest) const {
  std::array<std::byte, 64> computed;
  const MutableByteSpan out = MutableByteSpan(computed).first(geometry_.digest_size());
  (node.level == Node::kData ? data_digester_ : hash_digester_).hash(content, out);
  return equal(out, digest);
}

bool HashTree::has_zero_padding(Node node, ByteSpan content) const {
  const std::uint64_t first = node.index << geometry_.hashes_per_block_bits();
  const std::uint64_t digests =
      std::min(geometry_.hashes_per_block(),
               geometry_.digests(static_cast<std::size_t>(node.level)) - first);
  const auto zero = [&](std::size_t from, std::size_t to) {
    return std::ranges::all_of(content.subspan(from, to - from),
                               [](std::byte b) { return b == std::byte{0}; });
  };
  for (std::size_t i = 0; i < digests; ++i)
    if (!zero(i * geometry_.slot_size() + geometry_.digest_size(), (i + 1) * geometry_.slot_size()))
      return false;
  return zero(digests * geometry_.slot_size(), content.size());
}

// The path to the root has at most as many levels as a block number has bits.
Result<HashTree::Block> HashTree::block(int level, std::uint64_t index,
                                        Correction correction) const {
  const Node node{level, index};
  const std::uint64_t place = place_of(node);
  BlockCache& cache = level == 0 ? *leaves_ : *upper_;
  if (Block known = cache.find(place)) return known;

  const Bytes digest = TRY(expected_digest(node, correction));
  auto content = std::make_shared<Bytes>(geometry_.hash_block_size());
  auto read = hash_->read(offset_ + place * geometry_.hash_block_size(), *content);
  if (!read || !has_digest(node, *content, digest)) {
    if (correction == Correction::no || !fec_) {
      if (!read) return std::move(read).error().with_context(fmt::format("hash block {}", place));
      return Error(ErrorKind::tampered,
                   fmt::format("hash block {} does not match its hash", place));
    }
    *content = TRY(correct(node).context(fmt::format("hash block {}", place)));
    corrected_.fetch_add(1, std::memory_order_relaxed);
  }
  Block block = std::move(content);
  cache.insert(place, block);
  return block;
}

bool HashTree::has_failed(std::uint64_t place) const {
  const std::lock_guard lock(failed_mutex_);
  return failed_.contains(place);
}

/// Does not correct the blocks above it, because that would recurse without end.
FecDecoder::State HashTree::judge(std::uint64_t covered_block, ByteSpan content) const {
  using State = FecDecoder::State;
  const std::uint64_t data_blocks = geometry_.data_blocks();
  if (covered_block >= data_blocks + geometry_.hash_blocks()) return State::unknown;
  const Node node = covered_block < data_blocks ? Node{Node::kData, covered_block}
                                                : node_at(covered_block - data_blocks);
  const auto digest = expected_digest(node, Correction::no);
  if (!digest) return State::unknown;
  return has_digest(node, content, *digest) ? State::good : State::bad;
}

Result<Bytes> HashTree::correct(Node node) const {
  if (!fec_) return Error(ErrorKind::tampered, "without an FEC area");
  const Bytes digest = TRY(expected_digest(node, Correction::yes));
  const bool is_data = node.level == Node::kData;
  const std::uint64_t covered = is_data ? node.index : geometry_.data_blocks() + place_of(node);
  if (!is_data && has_failed(place_of(node)))
    return Error(ErrorKind::tampered, "not correctable with FEC");
  auto content = fec_->correct(
      covered, [this](std::uint64_t block, ByteSpan bytes) { return judge(block, bytes); },
      [&](ByteSpan bytes) { return has_digest(node, bytes, digest); });
  if (!content && content.error().kind() == ErrorKind::tampered && !is_data &&
      remembers_failures_) {
    const std::lock_guard lock(failed_mutex_);
    failed_.insert(place_of(node));
  }
  return content;
}

Result<std::vector<std::optional<Bytes>>> HashTree::correct_data(
    std::span<const std::uint64_t> blocks) const {
  std::vector<FecDecoder::Wanted> wanted;
  for (const std::uint64_t block : blocks) {
    const Node node{Node::kData, block};
    Bytes digest = TRY(expected_digest(node, Correction::yes));
    wanted.push_back(
        {.block = block, .accept = [this, node, digest = std::move(digest)](ByteSpan content) {
           return has_digest(node, content, digest);
         }});
  }
  return fec_->correct(
      wanted, [this](std::uint64_t block, ByteSpan content) { return judge(block, content); });
}

}  // namespace intact::verity
