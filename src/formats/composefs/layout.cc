#include "layout.h"

#include <algorithm>
#include <bit>

#include <intact/base/checked.h>
#include <intact/erofs/format.h>

namespace intact::composefs {

using erofs::kBlockSize;
using erofs::kSlotSize;

std::uint32_t chunk_bits(std::uint64_t size) {
  const auto bits = static_cast<std::uint32_t>(std::bit_width(size - 1));
  return std::clamp(bits, erofs::kBlockBits, erofs::kChunkBitsMax);
}

std::uint64_t chunk_count(std::uint64_t size) {
  return divide_up(size, std::uint64_t{1} << chunk_bits(size));
}

SizeParts content_parts(std::uint64_t size) {
  SizeParts parts{size / kBlockSize, static_cast<std::uint32_t>(size % kBlockSize)};
  if (parts.tail > kBlockSize / 2) {
    ++parts.blocks;
    parts.tail = 0;
  }
  return parts;
}

bool DirectoryPacker::add(std::size_t length) {
  const auto size = static_cast<std::uint32_t>(sizeof(erofs::RawDirent) + length);
  const bool full = used_ + size > kBlockSize;
  if (full) {
    ++blocks_;
    used_ = 0;
  }
  used_ += size;
  return full;
}

SizeParts DirectoryPacker::parts() const {
  if (used_ > kBlockSize / 2) return {blocks_ + 1, 0};
  return {blocks_, used_};
}

Placement place_inode(std::uint64_t position, std::uint64_t head, SizeParts parts) {
  position = align_up<std::uint64_t>(position, kSlotSize);
  const auto room = [&](std::uint64_t at) { return kBlockSize - (at + head) % kBlockSize; };
  if (room(position) < parts.tail) {
    const std::uint64_t shifted = position + align_up<std::uint64_t>(room(position), kSlotSize);
    if (parts.tail <= room(shifted)) {
      position = shifted;
    } else {
      // Shifting by whole slots can leave too little room for the largest tails.
      ++parts.blocks;
      parts.tail = 0;
      position = align_up<std::uint64_t>(position, kBlockSize);
    }
  }
  return {position, parts, position + head + parts.tail};
}

Placement place_symlink(std::uint64_t position, std::uint64_t head, SizeParts parts) {
  position = align_up<std::uint64_t>(position, kSlotSize);
  const std::uint64_t total = head + parts.tail;
  if (total >= kBlockSize) {
    ++parts.blocks;
    parts.tail = 0;
  }
  // With the target moved out this test still goes by the size with it: so do all other writers.
  if (position / kBlockSize != (position + total - 1) / kBlockSize)
    position = align_up<std::uint64_t>(position, kBlockSize);
  return {position, parts, position + head + parts.tail};
}

}  // namespace intact::composefs
