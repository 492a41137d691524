#include <algorithm>
#include <cassert>

#include <intact/base/checked.h>
#include <intact/fsverity/tree.h>

#include "salt.h"

namespace intact::fsverity {

TreeBatch::TreeBatch(const Params& params, bool keep_blocks)
    : hasher_(make_hasher(params)),
      builder_(params, keep_blocks),
      run_(std::make_unique_for_overwrite<std::byte[]>(kRun + kMaxContent)) {}

MutableByteSpan TreeBatch::add(std::size_t size) {
  assert(size <= kMaxContent);
  if (used_ >= kRun) hash_run();
  const std::size_t padded = divide_up(size, hasher_.block_size()) * hasher_.block_size();
  const MutableByteSpan place(run_.get() + used_, padded);
  used_ += padded;
  sizes_.push_back(size);
  std::ranges::fill(place.subspan(size), std::byte{0});
  return place.first(size);
}

void TreeBatch::hash_run() {
  const std::size_t before = hashes_.size();
  hashes_.resize(before + used_ / hasher_.block_size() * hasher_.digest_size());
  hasher_.hash(ByteSpan(run_.get(), used_), MutableByteSpan(hashes_).subspan(before));
  used_ = 0;
}

std::vector<MerkleTree> TreeBatch::finish() {
  hash_run();
  std::vector<MerkleTree> trees;
  trees.reserve(sizes_.size());
  for (ByteSpan rest = hashes_; const std::size_t size : sizes_) {
    const std::size_t own = divide_up(size, hasher_.block_size()) * hasher_.digest_size();
    builder_.update_hashed(rest.first(own), size);
    trees.push_back(builder_.finish());
    rest = rest.subspan(own);
  }
  sizes_.clear();
  hashes_.clear();
  return trees;
}

std::vector<MerkleTree> build_trees(std::span<const ByteSpan> contents) {
  static thread_local TreeBatch batch({}, true);
  for (const ByteSpan content : contents)
    if (content.size() <= TreeBatch::kMaxContent)
      std::copy_n(content.begin(), content.size(), batch.add(content.size()).begin());
  std::vector<MerkleTree> small = batch.finish();
  std::vector<MerkleTree> trees;
  trees.reserve(contents.size());
  TreeBuilder builder({}, true);
  for (auto next = small.begin(); const ByteSpan content : contents) {
    if (content.size() <= TreeBatch::kMaxContent) {
      trees.push_back(std::move(*next++));
    } else {
      builder.update(content);
      trees.push_back(builder.finish());
    }
  }
  return trees;
}

}  // namespace intact::fsverity
