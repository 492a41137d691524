#pragma once

#include <algorithm>
#include <cstdint>

#include <intact/verity/fec.h>

namespace intact::verity {

/// Reads columns of one row of the covered bytes. What lies behind their end counts as zeros.
inline Result<void> read_row(const FecGeometry& geometry, const ByteSource& covered, unsigned row,
                             std::uint64_t column, MutableByteSpan out) {
  const std::uint64_t begin = row * geometry.row_size() + column;
  const std::uint64_t size = geometry.covered_size();
  const auto there = static_cast<std::size_t>(
      begin < size ? std::min<std::uint64_t>(out.size(), size - begin) : 0);
  if (there > 0) TRY(covered.read(begin, out.first(there)));
  std::fill(out.begin() + static_cast<std::ptrdiff_t>(there), out.end(), std::byte{0});
  return {};
}

}  // namespace intact::verity
