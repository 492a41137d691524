#pragma once

#include <cstddef>
#include <cstdint>

#include <intact/base/bytes.h>
#include <intact/base/digest.h>
#include <intact/base/result.h>

namespace intact::fsverity {

/// Block size of what Intact names by its fs-verity digest (objects, metadata images), in bytes.
constexpr std::uint32_t kDefaultBlockSize = 4096;
constexpr std::size_t kMaxSaltSize = 32;

/// What a digest depends on besides the content (struct fsverity_enable_arg).
struct Params {
  HashAlgorithm algorithm = HashAlgorithm::sha256;
  std::uint32_t block_size = kDefaultBlockSize;  ///< bytes, a power of two
  Bytes salt = {};  ///< up to 32 bytes before every hashed block, zero-padded
};

enum class BlockSizes {
  kernel,  ///< 1024 to 65536 bytes: what kernels can enforce
  any,     ///< like fsverity-utils: from two hashes per block up to 1 GiB
};

/// invalid_argument unless the block size is a power of two in range and the salt fits.
Result<void> check_params(const Params& params, BlockSizes accepted = BlockSizes::kernel);

}  // namespace intact::fsverity
