#pragma once

#include <cstdint>

namespace intact::erofs {

/// Whether `length` bytes at `offset` lie within an image of `size` bytes.
constexpr bool fits(std::uint64_t size, std::uint64_t offset, std::uint64_t length) {
  return offset <= size && length <= size - offset;
}

}  // namespace intact::erofs
