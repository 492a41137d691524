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
    return wrong(fmt::format("the {} block size {} is not a power of two from {} to {}", what, size,
                             kMinBlockSize, kMaxBlockSize));
  return {};
}

}  // namespace

Result<std::size_t> check_params(const Params& params) {
  if (params.hash_type != HashType::normal && params.hash_type != HashType::chrome_os)
    return Error(ErrorKind::unsupported,
                 fmt::format("hash type {}; there are 0 (Chrome OS) and 1 (normal)",
                             static_cast<std::uint32_t>(params.hash_type)));
  TRY(check_block_size("data", params.data_block_size));
  TRY(check_block_size("hash", params.hash_block_size));
  if (params.salt.size() > kMaxSaltSize)
    return wrong(fmt::format("the salt has {} bytes, at most {} are possible", params.salt.size(),
                             kMaxSaltSize));
  if (params.data_blocks == 0) return wrong("there is no data block to protect");
  if (params.data_blocks > static_cast<std::uint64_t>(INT64_MAX) / params.data_block_size)
    return wrong(fmt::format("{} data blocks of {} bytes are larger than a file can be",
                             params.data_blocks, params.data_block_size));
  const auto hash = TRY(crypto::find_hash_function(params.hash));
  return hash.digest_size;
}

}  // namespace intact::verity
