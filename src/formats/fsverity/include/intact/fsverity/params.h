#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <intact/base/bytes.h>
#include <intact/base/digest.h>
#include <intact/base/endian.h>
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

/// struct fsverity_descriptor of Documentation/filesystems/fsverity.rst, as it is hashed: the
/// digest of a file is the hash of these 256 bytes (without salt).
struct RawDescriptor {
  std::uint8_t version = 1;         ///< always 1
  std::uint8_t hash_algorithm = 0;  ///< FS_VERITY_HASH_ALG_*: 1 sha256, 2 sha512
  std::uint8_t log_block_size = 0;  ///< log2 of the block size in bytes
  std::uint8_t salt_size = 0;       ///< bytes of `salt` in use, 0 to 32
  /// 0 in what is hashed. The copy stored by a file system keeps the size of a signature here.
  le32 reserved_4;
  le64 data_size;                         ///< bytes of the file
  std::array<std::byte, 64> root{};       ///< root hash, zero-padded; all zero for an empty file
  std::array<std::byte, 32> salt{};       ///< zero-padded
  std::array<std::byte, 144> reserved{};  ///< zero
};
static_assert(sizeof(RawDescriptor) == 256 && alignof(RawDescriptor) == 1);
static_assert(offsetof(RawDescriptor, data_size) == 8);
static_assert(offsetof(RawDescriptor, root) == 16);
static_assert(offsetof(RawDescriptor, salt) == 80);

/// `root` has digest_size() bytes; all zero for an empty file. The params must be checked ones.
RawDescriptor make_descriptor(const Params& params, std::uint64_t data_size, ByteSpan root);

/// The fs-verity digest: hash of the descriptor by the algorithm that it names.
Digest hash_descriptor(const RawDescriptor& descriptor, HashAlgorithm algorithm);

/// What the kernel's built-in signatures sign (struct fsverity_formatted_digest): "FSVerity",
/// algorithm and digest size as 16-bit little-endian numbers, the digest.
Bytes format_for_builtin_signature(const Digest& digest);

}  // namespace intact::fsverity
