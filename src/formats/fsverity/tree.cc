#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

#include <fmt/format.h>

#include <intact/fsverity/tree.h>

#include "geometry.h"
#include "salt.h"

namespace intact::fsverity {
TreeBuilder::TreeBuilder(Params params, bool keep_blocks)
    : params_(std::move(params)),
      hasher_(make_hasher(params_)),
      keep_blocks_(keep_blocks),
      run_(std::max<std::size_t>(kRun, params_.block_size)) {}

void TreeBuilder::update(ByteSpan content) {
  data_size_ += content.size();
  if (!pending_.empty()) {
    const std::size_t n = std::min(content.size(), run_ - pending_.size());
    pending_.insert(pending_.end(), content.begin(), content.begin() + n);
    content = content.subspan(n);
    if (pending_.size() < run_) return;
    add_hashes_of(0, pending_);
    pending_.clear();
  }
  // Large pieces are hashed where they are. Some of a small rest might be hashed, too, but is
  // better off in a full run.
  if (content.size() >= run_) {
    const std::size_t whole = content.size() - content.size() % params_.block_size;
    add_hashes_of(0, content.first(whole));
    content = content.subspan(whole);
  }
  pending_.insert(pending_.end(), content.begin(), content.end());
}

void TreeBuilder::update_hashed(ByteSpan hashes, std::uint64_t size) {
  assert(pending_.empty() && data_size_ % params_.block_size == 0);
  data_size_ += size;
  if (levels_.empty()) levels_.emplace_back();
  levels_[0].hashes.insert(levels_[0].hashes.end(), hashes.begin(), hashes.end());
  hash_up(0);
}

/// Hashes whole blocks and appends the hashes to `level`.
void TreeBuilder::add_hashes_of(std::size_t level, ByteSpan blocks) {
  if (level == levels_.size()) levels_.emplace_back();
  Bytes& hashes = levels_[level].hashes;
  const std::size_t before = hashes.size();
  hashes.resize(before + blocks.size() / params_.block_size * digest_size(params_.algorithm));
  hasher_.hash(blocks, MutableByteSpan(hashes).subspan(before));
  hash_up(level);
}

/// Hashes the hash blocks of `level` that are full into the level above, once they are a run.
/// (A full block is never the root: it holds at least two hashes.)
void TreeBuilder::hash_up(std::size_t level) {
  const std::size_t waiting = levels_[level].hashes.size() - levels_[level].hashed;
  if (waiting < run_) return;
  const std::size_t whole = waiting - waiting % params_.block_size;
  // add_hashes_of may move levels_, but not what their vectors hold.
  add_hashes_of(level + 1, ByteSpan(levels_[level].hashes).subspan(levels_[level].hashed, whole));
  Level& now = levels_[level];
  now.hashed += whole;
  if (keep_blocks_) return;
  now.hashes.erase(now.hashes.begin(),
                   now.hashes.begin() + static_cast<std::ptrdiff_t>(now.hashed));
  now.hashed = 0;
}

/// Pads and hashes what is left of `level` and of all above it; returns the level whose only hash
/// is the root.
std::size_t TreeBuilder::finish_level(std::size_t level) {
  const bool is_top = level + 1 == levels_.size();
  if (is_top && levels_[level].hashed == 0 &&
      levels_[level].hashes.size() == digest_size(params_.algorithm))
    return level;
  Bytes& hashes = levels_[level].hashes;
  const std::size_t used = hashes.size() % params_.block_size;
  if (used != 0) hashes.resize(hashes.size() + params_.block_size - used);
  const ByteSpan rest = ByteSpan(hashes).subspan(levels_[level].hashed);
  if (!rest.empty()) add_hashes_of(level + 1, rest);
  return finish_level(level + 1);
}

/// The padded levels below `top` in stored order.
Bytes TreeBuilder::collect(std::size_t top) {
  std::size_t size = 0;
  for (std::size_t level = 0; level < top; ++level) size += levels_[level].hashes.size();
  Bytes blocks;
  blocks.reserve(size);
  for (std::size_t level = top; level-- > 0;) {
    blocks.insert(blocks.end(), levels_[level].hashes.begin(), levels_[level].hashes.end());
    levels_[level].hashes = {};
  }
  return blocks;
}

MerkleTree TreeBuilder::finish() {
  if (!pending_.empty()) {
    const std::size_t used = pending_.size() % params_.block_size;
    if (used != 0) pending_.resize(pending_.size() + params_.block_size - used);
    add_hashes_of(0, pending_);
  }
  std::array<std::byte, 64> zero{};
  ByteSpan root = ByteSpan(zero).first(digest_size(params_.algorithm));
  std::size_t top = 0;
  if (data_size_ != 0) {
    top = finish_level(0);
    root = levels_[top].hashes;
  }
  const RawDescriptor descriptor = make_descriptor(params_, data_size_, root);
  MerkleTree tree{.data_size = data_size_,
                  .digest = hash_descriptor(descriptor, params_.algorithm),
                  .blocks = keep_blocks_ ? collect(top) : Bytes(),
                  .descriptor = descriptor};
  data_size_ = 0;
  pending_.clear();
  levels_.clear();
  return tree;
}

Digest digest_of(ByteSpan content, const Params& params) {
  TreeBuilder builder(params);
  builder.update(content);
  return builder.finish().digest;
}

std::uint64_t tree_size(std::uint64_t data_size, const Params& params) {
  return Geometry(data_size, params).tree_size();
}

}  // namespace intact::fsverity
