#include "hash_tree.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include <intact/base/file.h>
#include <intact/fsverity/params.h>

#include "salt.h"

namespace intact::fsverity {
namespace {

constexpr std::size_t kReadSize = 256 << 10;

}  // namespace

HashTree::HashTree(int data_fd, std::uint64_t data_size, const Digest& digest, const Params& params,
                   std::shared_ptr<const ByteSource> stored, std::shared_ptr<HashCache> cache)
    : data_fd_(data_fd),
      digest_(digest),
      params_(params),
      geometry_(data_size, params_),
      hasher_(make_hasher(params_)),
      stored_(std::move(stored)),
      cache_(std::move(cache)) {}

bool HashTree::is_root(ByteSpan root) const {
  return hash_descriptor(make_descriptor(params_, geometry_.data_size(), root),
                         params_.algorithm) == digest_;
}

/// Recursion ends at the top level; there are at most as many levels as bits in a file size.
Result<HashTree::Block> HashTree::block(std::size_t level, std::uint64_t index) {
  const std::uint64_t tree_index = index_in_tree(level, index);
  if (Block known = find(level, tree_index)) return known;
  Block parent;
  if (level + 1 < geometry_.levels().size())
    parent = TRY(block(level + 1, index / geometry_.hashes_per_block()));
  if (stored_) {
    Block loaded = load_stored(tree_index);
    if (loaded && verifies(*loaded, parent, index)) {
      keep(level, tree_index, loaded);
      return loaded;
    }
  }
  return rebuild(level, index, parent);
}

/// Null if the stored tree is too short or unreadable, which is treated like a wrong block.
HashTree::Block HashTree::load_stored(std::uint64_t tree_index) const {
  auto bytes = std::make_shared<Bytes>(geometry_.block_size());
  if (!stored_->read(tree_index * geometry_.block_size(), *bytes)) return nullptr;
  return bytes;
}

/// Whether `block`, number `index` of its level, has the hash that its parent holds for it; the top
/// block has no parent but must lead to the digest.
bool HashTree::verifies(const Bytes& block, const Block& parent, std::uint64_t index) const {
  const std::size_t size = digest_size(params_.algorithm);
  std::array<std::byte, 64> out;
  const MutableByteSpan hash = MutableByteSpan(out).first(size);
  hasher_.hash(block, hash);
  if (!parent) return is_root(hash);
  const auto slot = static_cast<std::size_t>(index % geometry_.hashes_per_block());
  return equal(hash, ByteSpan(*parent).subspan(slot * size, size));
}

Result<HashTree::Block> HashTree::rebuild(std::size_t level, std::uint64_t index,
                                          const Block& parent) {
  const std::uint64_t tree_index = index_in_tree(level, index);
  const std::lock_guard lock(rebuilding_);
  if (Block known = find(level, tree_index)) return known;
  const bool seen = lost_.contains(tree_index);
  if (stored_ && !seen) refused_.fetch_add(1, std::memory_order_relaxed);
  if (!seen) {
    Pass pass(*cache_);
    auto computed = compute(level, index, pass);
    if (computed && verifies(**computed, parent, index)) {
      for (auto& [of_level, at, bytes] : pass.computed) keep(of_level, at, std::move(bytes));
      keep(level, tree_index, *computed);
      return *computed;
    }
    // What the device could not read now it may read later.
    if (!computed && computed.error().kind() != ErrorKind::tampered)
      return std::move(computed).error();
    lost_.add(tree_index);
  }
  if (!parent)
    return Error(ErrorKind::tampered, stored_
                                          ? "neither the data nor the stored hash tree leads to "
                                            "the digest"
                                          : "the data has a different digest");
  return Error(ErrorKind::tampered,
               stored_ ? "the stored hashes of these blocks are damaged, and so is some of the data"
                       : "some of the data has changed");
}

/// Computes hash block `index` of `level` from the data below it.
Result<HashTree::Block> HashTree::compute(std::size_t level, std::uint64_t index,
                                          Pass& pass) const {
  const std::size_t size = digest_size(params_.algorithm);
  const std::uint64_t below =
      level == 0 ? geometry_.data_blocks() : geometry_.levels()[level - 1].blocks;
  const std::uint64_t first = index * geometry_.hashes_per_block();
  const std::uint64_t count = std::min<std::uint64_t>(geometry_.hashes_per_block(), below - first);
  auto block = std::make_shared<Bytes>(geometry_.block_size());
  if (level == 0) {
    TRY(hash_data(first, count, MutableByteSpan(*block).first(count * size), pass));
    return Block(block);
  }
  for (std::uint64_t i = 0; i < count; ++i) {
    Block child = TRY(compute(level - 1, first + i, pass));
    hasher_.hash(*child, MutableByteSpan(*block).subspan(i * size, size));
    if (!cache_->reserve(cache_level(level - 1), child->size())) continue;
    (level == 1 ? pass.reserved_leaves : pass.reserved_upper) += child->size();
    pass.computed.emplace_back(level - 1, index_in_tree(level - 1, first + i), std::move(child));
  }
  return Block(block);
}

Result<void> HashTree::hash_data(std::uint64_t first, std::uint64_t count, MutableByteSpan hashes,
                                 Pass& pass) const {
  const std::size_t block_size = geometry_.block_size();
  const std::uint64_t run =
      std::min<std::uint64_t>(count, std::max<std::size_t>(kReadSize / block_size, 1));
  if (pass.buffer.size() < run * block_size) pass.buffer.resize(run * block_size);
  for (std::uint64_t done = 0; done < count;) {
    const std::uint64_t blocks = std::min(run, count - done);
    const std::uint64_t offset = (first + done) * block_size;
    const MutableByteSpan piece = MutableByteSpan(pass.buffer).first(blocks * block_size);
    const auto present = static_cast<std::size_t>(
        std::min<std::uint64_t>(piece.size(), geometry_.data_size() - offset));
    if (TRY(pread_up_to(data_fd_, offset, piece.first(present))) != present)
      return Error(ErrorKind::tampered, "the file is too short");
    std::ranges::fill(piece.subspan(present), std::byte{0});
    const std::size_t size = digest_size(params_.algorithm);
    hasher_.hash(piece, hashes.subspan(done * size, blocks * size));
    done += blocks;
  }
  return {};
}

Result<void> HashTree::build() {
  TRY(block(geometry_.levels().size() - 1, 0));
  return {};
}

}  // namespace intact::fsverity
