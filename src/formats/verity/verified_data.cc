#include "verified_data.h"

#include <algorithm>

#include <intact/base/checked.h>

namespace intact::verity {
namespace {

constexpr std::size_t kRunBytes = 128 << 10;

void clear(MutableByteSpan bytes) {
  std::ranges::fill(bytes, std::byte{0});
}

}  // namespace

VerifiedData::VerifiedData(std::shared_ptr<const ByteSource> data, const HashTree& tree,
                           const VerityTarget::Options& options)
    : data_(std::move(data)), tree_(tree) {
  const Geometry& geometry = tree.geometry();
  if (options.ignore_zero_blocks) {
    zero_digest_.resize(geometry.digest_size());
    tree.data_digester().hash(Bytes(geometry.data_block_size()), zero_digest_);
  }
  if (options.check_at_most_once)
    good_ = std::vector<std::atomic<std::uint64_t>>(
        divide_up<std::uint64_t>(geometry.data_blocks(), 64));
}

std::uint64_t VerifiedData::run_length(std::uint64_t first, std::uint64_t end) const {
  const Geometry& geometry = tree_.geometry();
  const std::uint64_t per_block = geometry.hashes_per_block();
  const std::uint64_t most = std::max<std::uint64_t>(kRunBytes / geometry.data_block_size(), 1);
  return std::min({end - first, most, per_block - first % per_block});
}

bool VerifiedData::known_good(std::uint64_t first, std::uint64_t count) const {
  if (good_.empty()) return false;
  for (std::uint64_t block = first; block < first + count; ++block)
    if ((good_[block / 64].load(std::memory_order_relaxed) >> (block % 64) & 1) == 0) return false;
  return true;
}

void VerifiedData::remember_good(std::uint64_t block) {
  if (!good_.empty())
    good_[block / 64].fetch_or(std::uint64_t{1} << (block % 64), std::memory_order_relaxed);
}

Result<void> VerifiedData::read_raw(std::uint64_t first, MutableByteSpan content) const {
  return data_->read(first * tree_.geometry().data_block_size(), content);
}

/// The hash block with the digest of this data block; null if that is the root hash.
Result<HashTree::Block> VerifiedData::leaf_of(std::uint64_t block) const {
  const Geometry& geometry = tree_.geometry();
  if (geometry.levels().empty()) return HashTree::Block();
  return tree_.block(0, block >> geometry.hashes_per_block_bits(), HashTree::Correction::yes);
}

ByteSpan VerifiedData::expected_in(const HashTree::Block& leaf, std::uint64_t block) const {
  return leaf ? tree_.digest_in(*leaf, block) : tree_.root();
}

Result<std::pair<std::uint64_t, bool>> VerifiedData::zero_run(std::uint64_t first,
                                                              std::uint64_t end) const {
  const std::uint64_t per_block = tree_.geometry().hashes_per_block();
  end = std::min(end, first + (per_block - first % per_block));
  const HashTree::Block leaf = TRY(leaf_of(first));
  const auto is_zero = [&](std::uint64_t block) {
    return equal(expected_in(leaf, block), zero_digest_);
  };
  const bool zero = is_zero(first);
  std::uint64_t block = first + 1;
  while (block < end && is_zero(block) == zero) ++block;
  return std::pair(block - first, zero);
}

Result<std::vector<BadBlock>> VerifiedData::read_run(std::uint64_t first, MutableByteSpan content) {
  const Geometry& geometry = tree_.geometry();
  const std::size_t size = geometry.data_block_size();
  const std::size_t digest_size = geometry.digest_size();
  const std::uint64_t count = content.size() / size;
  const auto block_at = [&](std::uint64_t i) { return content.subspan(i * size, size); };
  std::vector<BadBlock> bad;
  if (known_good(first, count) && read_raw(first, content)) return bad;

  const HashTree::Block leaf = TRY(leaf_of(first));
  const auto expected = [&](std::uint64_t i) { return expected_in(leaf, first + i); };

  if (skips_zeros()) {
    std::uint64_t zeros = 0;
    while (zeros < count && equal(expected(zeros), zero_digest_)) ++zeros;
    if (zeros == count) return clear(content), bad;
  }

  std::vector<std::string> unreadable(count);
  if (!read_raw(first, content)) {
    for (std::uint64_t i = 0; i < count; ++i) {
      if (auto read = read_raw(first + i, block_at(i)); !read) {
        unreadable[i] = read.error().message();
        clear(block_at(i));
      }
    }
  }
  Bytes digests(count * digest_size);
  tree_.data_digester().hash(content, digests);
  for (std::uint64_t i = 0; i < count; ++i) {
    if (!unreadable[i].empty())
      bad.push_back({first + i, "cannot be read: " + unreadable[i]});
    else if (!equal(ByteSpan(digests).subspan(i * digest_size, digest_size), expected(i)))
      bad.push_back({first + i, "does not match its hash"});
    else
      remember_good(first + i);
  }
  verified_.fetch_add(count - bad.size(), std::memory_order_relaxed);
  return bad;
}

}  // namespace intact::verity
