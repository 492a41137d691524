#include <bit>

#include <fmt/format.h>

#include <intact/base/checked.h>
#include <intact/crypto/hash_function.h>
#include <intact/verity/params.h>

namespace intact::verity {
namespace {

Error wrong(std::string message) {
  return Error(ErrorKind::invalid_argument, std::move(message));
}

Result<void> check_block_size(std::string_view what, std::uint32_t size) {
  if (!std::has_single_bit(size) || size < kMinBlockSize || size > kMaxBlockSize)
    return wrong(fmt::format("{} block size {}: not a power of two from {} to {}", what, size,
                             kMinBlockSize, kMaxBlockSize));
  return {};
}

}  // namespace

Result<void> check_block_sizes(const Params& params) {
  TRY(check_block_size("data", params.data_block_size));
  return check_block_size("hash", params.hash_block_size);
}

Result<std::size_t> check_params(const Params& params) {
  if (params.hash_type != HashType::normal && params.hash_type != HashType::chrome_os)
    return Error(ErrorKind::unsupported,
                 fmt::format("hash type {}: not supported; use 1 (normal) or 0 (Chrome OS)",
                             static_cast<std::uint32_t>(params.hash_type)));
  TRY(check_block_sizes(params));
  if (params.salt.size() > kMaxSaltSize)
    return wrong(fmt::format("salt: {} bytes are too many; the maximum is {}", params.salt.size(),
                             kMaxSaltSize));
  if (params.data_blocks == 0) return wrong("data: shorter than one data block");
  if (params.data_blocks > static_cast<std::uint64_t>(INT64_MAX) / params.data_block_size)
    return wrong(fmt::format("{} data blocks of {} bytes: larger than a file can be",
                             params.data_blocks, params.data_block_size));
  const auto hash = TRY(crypto::find_hash_function(params.hash));
  return hash.digest_size;
}

}  // namespace intact::verity
