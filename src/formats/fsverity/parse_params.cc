#include <string>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include <intact/base/text.h>
#include <intact/fsverity/measure.h>

namespace intact::fsverity {
namespace {

Error wrong(std::string message) {
  return Error(ErrorKind::invalid_argument, std::move(message));
}

Result<HashAlgorithm> parse_algorithm(std::string_view text) {
  for (const auto algorithm : {HashAlgorithm::sha256, HashAlgorithm::sha512})
    if (text == to_string(algorithm) || text == std::to_string(static_cast<int>(algorithm)))
      return algorithm;
  return wrong(fmt::format("unknown hash algorithm '{}': use sha256 or sha512", text));
}

}  // namespace

Result<Params> parse_params(std::string_view algorithm, std::string_view block_size,
                            std::string_view salt) {
  Params params;
  params.algorithm = TRY(parse_algorithm(algorithm));
  // Digits only: 0x1000 and 010 are refused, as fsverity refuses them.
  const auto bytes_per_block = whole_number<decltype(params.block_size)>(block_size);
  if (!bytes_per_block)
    return wrong(fmt::format("block size '{}' is not a number of bytes", block_size));
  params.block_size = *bytes_per_block;
  auto bytes = from_hex(salt);
  if (!bytes) return wrong(fmt::format("salt '{}' is not a hexadecimal string", salt));
  params.salt = *std::move(bytes);
  TRY(check_params(params, BlockSizes::any));
  return params;
}

}  // namespace intact::fsverity
