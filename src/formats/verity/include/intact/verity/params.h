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
  chrome_os = 0,  ///< salt behind the block; digests packed without gaps
  normal = 1,     ///< salt in front of the block; digests in cells of a power of two
};

/// All that, besides the data, determines a hash tree. Nothing of it is covered by the root hash:
/// from a superblock it is a proposal, which the root hash confirms or not.
struct Params {
  HashType hash_type = HashType::normal;
  std::string hash = "sha256";           ///< a name as the kernel's crypto API has it
  std::uint32_t data_block_size = 4096;  ///< bytes, a power of two
  std::uint32_t hash_block_size = 4096;  ///< bytes, a power of two
  std::uint64_t data_blocks = 0;         ///< how many blocks of data_block_size are covered
  Bytes salt = {};                       ///< up to 256 bytes

  bool operator==(const Params&) const = default;
};

/// The size of a digest of params.hash in bytes. invalid_argument when a field is out of range, and
/// when the area it describes is larger than a file can be; unsupported for an unknown hash.
Result<std::size_t> check_params(const Params& params);

}  // namespace intact::verity
