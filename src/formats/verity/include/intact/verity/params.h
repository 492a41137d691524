#pragma once

#include <cstdint>
#include <string>

#include <intact/base/bytes.h>
#include <intact/base/result.h>

namespace intact::verity {

constexpr std::uint32_t kMinBlockSize = 512;     ///< bytes
constexpr std::uint32_t kMaxBlockSize = 524288;  ///< bytes, as veritysetup has it
constexpr std::size_t kMaxSaltSize = 256;        ///< bytes

/// How a block and the salt become a digest.
enum class HashType : std::uint32_t {
  chrome_os = 0,  ///< salt after the block; digests packed without gaps
  normal = 1,     ///< salt before the block; digests in cells of a power of two
};

/// Everything that determines a hash tree besides the data. The root hash does not cover any of it:
/// what a superblock says is a claim. The root hash confirms the claim only in part; see
/// docs/threat-model.md, "Superblocks of dm-verity".
struct Params {
  HashType hash_type = HashType::normal;
  std::string hash = "sha256";           ///< a name as the kernel's crypto API has it
  std::uint32_t data_block_size = 4096;  ///< bytes, a power of two
  std::uint32_t hash_block_size = 4096;  ///< bytes, a power of two
  std::uint64_t data_blocks = 0;         ///< how many blocks of data_block_size are covered
  Bytes salt = {};                       ///< up to 256 bytes

  bool operator==(const Params&) const = default;
};

/// Whether both block sizes are powers of two in range: what can be said before the number of
/// blocks is known. invalid_argument.
Result<void> check_block_sizes(const Params& params);

/// The size of a digest of params.hash in bytes. invalid_argument: a field is out of range, or the
/// area is larger than a file can be; unsupported: an unknown hash.
Result<std::size_t> check_params(const Params& params);

}  // namespace intact::verity
