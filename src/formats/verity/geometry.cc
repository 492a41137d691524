#include <algorithm>
#include <bit>
#include <cstdint>

#include <fmt/format.h>

#include <intact/base/checked.h>
#include <intact/verity/params.h>

namespace intact::verity {

Result<Geometry> Geometry::create(const Params& params) {
  Geometry geometry;
  geometry.digest_size_ = TRY(check_params(params));
  geometry.data_block_size_ = params.data_block_size;
  geometry.hash_block_size_ = params.hash_block_size;
  geometry.data_blocks_ = params.data_blocks;
  geometry.slot_size_ = params.hash_type == HashType::normal ? std::bit_ceil(geometry.digest_size_)
                                                             : geometry.digest_size_;
  // Rounded down to a power of two in both types, so that shifts find the path to the root.
  geometry.hashes_per_block_bits_ =
      static_cast<unsigned>(std::bit_width(params.hash_block_size / geometry.digest_size_) - 1);

  for (std::uint64_t digests = params.data_blocks; digests > 1;) {
    digests = divide_up(digests, geometry.hashes_per_block());
    geometry.levels_.push_back({.blocks = digests, .first_block = 0});
  }
  // At most half as many hash blocks as data blocks, whose number check_params has bounded.
  for (auto level = geometry.levels_.rbegin(); level != geometry.levels_.rend(); ++level) {
    level->first_block = geometry.hash_blocks_;
    geometry.hash_blocks_ += level->blocks;
  }
  if (!checked_multiply<std::int64_t>(static_cast<std::int64_t>(geometry.hash_blocks_),
                                      geometry.hash_block_size_))
    return Error(
        ErrorKind::invalid_argument,
        fmt::format("hash tree over {} blocks: larger than a file can be", params.data_blocks));
  return geometry;
}

}  // namespace intact::verity
