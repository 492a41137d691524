#include <bit>

#include <fmt/format.h>

#include <intact/base/checked.h>
#include <intact/verity/fec.h>
#include <intact/verity/params.h>

namespace intact::verity {

Result<FecGeometry> FecGeometry::create(const Params& params) {
  const auto wrong = [](std::string message) {
    return Error(ErrorKind::invalid_argument, std::move(message));
  };
  if (params.roots < kMinRoots || params.roots > kMaxRoots)
    return wrong(
        fmt::format("{} FEC roots: not between {} and {}", params.roots, kMinRoots, kMaxRoots));
  if (!std::has_single_bit(params.block_size) || params.block_size < kMinBlockSize ||
      params.block_size > kMaxBlockSize)
    return wrong(fmt::format("FEC block size {}: not valid", params.block_size));
  if (params.blocks == 0) return wrong("FEC: no blocks to cover");
  // The covered bytes, rounded up to whole rows, must fit as well.
  const std::uint64_t rows = kCodewordSize - params.roots;
  if (params.blocks > (static_cast<std::uint64_t>(INT64_MAX) / params.block_size) - rows)
    return wrong(fmt::format("FEC over {} blocks: larger than a file can be", params.blocks));
  return FecGeometry(params, divide_up(params.blocks, rows) * params.block_size);
}

}  // namespace intact::verity
