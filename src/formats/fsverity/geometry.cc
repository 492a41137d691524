#include "geometry.h"

#include <intact/base/checked.h>

namespace intact::fsverity {

Geometry::Geometry(std::uint64_t data_size, const Params& params)
    : data_size_(data_size),
      block_size_(params.block_size),
      hashes_per_block_(
          static_cast<std::uint32_t>(params.block_size / digest_size(params.algorithm))),
      data_blocks_(divide_up<std::uint64_t>(data_size, params.block_size)) {
  for (std::uint64_t hashes = data_blocks_; hashes > 1;) {
    hashes = divide_up<std::uint64_t>(hashes, hashes_per_block_);
    levels_.push_back({.blocks = hashes, .first_block = 0});
  }
  for (auto level = levels_.rbegin(); level != levels_.rend(); ++level) {
    level->first_block = tree_blocks_;
    tree_blocks_ += level->blocks;
  }
}

}  // namespace intact::fsverity
