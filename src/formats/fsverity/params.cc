#include <bit>

#include <fmt/format.h>

#include <intact/fsverity/params.h>

namespace intact::fsverity {

Result<void> check_params(const Params& params, BlockSizes accepted) {
  const bool kernel = accepted == BlockSizes::kernel;
  const std::size_t least = kernel ? 1024 : 2 * digest_size(params.algorithm);
  const std::size_t most = kernel ? 65536 : std::size_t{1} << 30;
  if (!std::has_single_bit(params.block_size))
    return Error(ErrorKind::invalid_argument,
                 fmt::format("block size {} is not a power of two", params.block_size));
  if (params.block_size < least || params.block_size > most)
    return Error(ErrorKind::invalid_argument,
                 fmt::format("block size {} is out of range: {} takes {} to {} bytes",
                             params.block_size, to_string(params.algorithm), least, most));
  if (params.salt.size() > kMaxSaltSize)
    return Error(ErrorKind::invalid_argument,
                 fmt::format("salt of {} bytes is too long: the maximum is {} bytes",
                             params.salt.size(), kMaxSaltSize));
  return {};
}

}  // namespace intact::fsverity
