#include "section_image.h"

#include <algorithm>
#include <cstring>

namespace intact::integrity {
namespace {

constexpr std::size_t kPayload = kCommitIdOffset;  // bytes of a sector that stay in their place
constexpr std::size_t kMoved = kSectorSize - kPayload;

}  // namespace

SectionImage::SectionImage(const Layout& layout)
    : geometry_(layout.section()),
      block_sectors_(1u << layout.log2_sectors_per_block()),
      tag_size_(layout.tag_size()),
      bytes_(geometry_.sectors * kSectorSize) {
  clear();
}

ByteSpan SectionImage::entry_bytes(std::uint32_t entry) const {
  const std::size_t at = std::size_t{entry % kEntrySectors} * kSectorSize +
                         std::size_t{entry / kEntrySectors} * geometry_.entry_size;
  return ByteSpan(bytes_).subspan(at, geometry_.entry_size);
}

MutableByteSpan SectionImage::entry_bytes(std::uint32_t entry) {
  const ByteSpan bytes = std::as_const(*this).entry_bytes(entry);
  return MutableByteSpan(bytes_).subspan(bytes.data() - bytes_.data(), bytes.size());
}

std::size_t SectionImage::block_offset(std::uint32_t entry) const {
  return (kEntrySectors + std::size_t{entry} * block_sectors_) * kSectorSize;
}

void SectionImage::clear() {
  for (std::uint32_t n = 0; n < geometry_.entries; ++n)
    std::ranges::fill(entry_bytes(n).subspan(4, 4), std::byte{0xff});
}

bool SectionImage::used(std::uint32_t entry) const {
  return !std::ranges::all_of(entry_bytes(entry).subspan(4, 4),
                              [](std::byte b) { return b == std::byte{0xff}; });
}

std::uint64_t SectionImage::sector(std::uint32_t entry) const {
  le64 sector;
  std::memcpy(&sector, entry_bytes(entry).data(), sizeof sector);
  return sector.get();
}

ByteSpan SectionImage::tag(std::uint32_t entry) const {
  return entry_bytes(entry).subspan(8 + kMoved * block_sectors_, tag_size_);
}

void SectionImage::set(std::uint32_t entry, std::uint64_t sector, ByteSpan block, ByteSpan tag) {
  const MutableByteSpan fields = entry_bytes(entry);
  std::ranges::copy(bytes_of(le64(sector)), fields.begin());
  std::byte* place = bytes_.data() + block_offset(entry);
  for (std::uint32_t i = 0; i < block_sectors_; ++i) {
    const std::byte* const from = block.data() + i * kSectorSize;
    std::memcpy(place + i * kSectorSize, from, kPayload);
    std::memcpy(fields.data() + 8 + i * kMoved, from + kPayload, kMoved);
  }
  std::ranges::copy(tag, fields.begin() + static_cast<std::ptrdiff_t>(8 + kMoved * block_sectors_));
}

void SectionImage::copy_block(std::uint32_t entry, MutableByteSpan out) const {
  const ByteSpan fields = entry_bytes(entry);
  const std::byte* place = bytes_.data() + block_offset(entry);
  for (std::uint32_t i = 0; i < block_sectors_; ++i) {
    std::byte* const to = out.data() + i * kSectorSize;
    std::memcpy(to, place + i * kSectorSize, kPayload);
    std::memcpy(to + kPayload, fields.data() + 8 + i * kMoved, kMoved);
  }
}

}  // namespace intact::integrity
