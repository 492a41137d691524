// Trees of many small files: their blocks are hashed side by side, whichever file they are of.
#include <algorithm>

#include <intact/base/checked.h>
#include <intact/fsverity/tree.h>

#include "salt.h"

namespace intact::fsverity {
namespace {

/// Hashes blocks in full runs. The last block of each content is padded.
class Gatherer {
 public:
  explicit Gatherer(const crypto::BlockHasher& hasher)
      : hasher_(hasher), run_(std::max<std::size_t>(kRun, hasher.block_size())) {}

  void add(ByteSpan content) {
    while (!content.empty()) {
      const std::size_t n = std::min(content.size(), run_ - gathered_.size());
      gathered_.insert(gathered_.end(), content.begin(), content.begin() + n);
      content = content.subspan(n);
      if (content.empty()) {
        const std::size_t used = gathered_.size() % hasher_.block_size();
        if (used != 0) gathered_.resize(gathered_.size() + hasher_.block_size() - used);
      }
      if (gathered_.size() == run_) flush();
    }
  }

  Bytes finish() {
    flush();
    return std::move(hashes_);
  }

 private:
  void flush() {
    const std::size_t before = hashes_.size();
    hashes_.resize(before + gathered_.size() / hasher_.block_size() * hasher_.digest_size());
    hasher_.hash(gathered_, MutableByteSpan(hashes_).subspan(before));
    gathered_.clear();
  }

  const crypto::BlockHasher& hasher_;
  std::size_t run_;
  Bytes gathered_;
  Bytes hashes_;
};

}  // namespace

std::vector<MerkleTree> build_trees(std::span<const ByteSpan> contents, const Params& params,
                                    bool keep_blocks) {
  const crypto::BlockHasher hasher = make_hasher(params);
  Gatherer gatherer(hasher);
  for (const ByteSpan content : contents)
    if (content.size() < kRun) gatherer.add(content);
  const Bytes hashes = gatherer.finish();

  std::vector<MerkleTree> trees;
  trees.reserve(contents.size());
  TreeBuilder builder(params, keep_blocks);
  for (ByteSpan rest = hashes; const ByteSpan content : contents) {
    if (content.size() < kRun) {
      const std::size_t size =
          divide_up(content.size(), hasher.block_size()) * hasher.digest_size();
      builder.update_hashed(rest.first(size), content.size());
      rest = rest.subspan(size);
    } else {
      builder.update(content);
    }
    trees.push_back(builder.finish());
  }
  return trees;
}

}  // namespace intact::fsverity
