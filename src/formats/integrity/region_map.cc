#include "region_map.h"

#include <bit>

#include <fmt/format.h>

namespace intact::integrity {
namespace {

constexpr std::uint64_t kMaxSize = 64 << 20;  // bytes

}  // namespace

Result<void> RegionMap::check_size(const Layout& layout, unsigned log2_sectors) {
  const std::uint64_t size = layout.bitmap_blocks(log2_sectors) * kBlockSize;
  if (size <= kMaxSize) return {};
  return Error(ErrorKind::limit,
               fmt::format("the superblock describes a bitmap of {} MiB, the limit is {} MiB",
                           size >> 20, kMaxSize >> 20));
}

RegionMap::RegionMap(const Layout& layout, unsigned log2_sectors)
    : log2_sectors_(log2_sectors),
      regions_(layout.bitmap_bits(log2_sectors)),
      bytes_(layout.bitmap_blocks(log2_sectors) * kBlockSize) {}

bool RegionMap::test(std::uint64_t region) const {
  return (std::to_integer<unsigned>(bytes_[region / 8]) >> region % 8 & 1) != 0;
}

bool RegionMap::all_set(std::uint64_t first, std::uint64_t last) const {
  return next(first, false) > last;
}

void RegionMap::set(std::uint64_t first, std::uint64_t last) {
  for (std::uint64_t region = first; region <= last; ++region)
    bytes_[region / 8] |= std::byte{1} << region % 8;
}

void RegionMap::clear(std::uint64_t first, std::uint64_t last) {
  for (std::uint64_t region = first; region <= last; ++region)
    bytes_[region / 8] &= ~(std::byte{1} << region % 8);
}

std::uint64_t RegionMap::next(std::uint64_t first, bool in_set) const {
  const std::byte uniform =
      in_set ? std::byte{0} : std::byte{0xff};  // contains no bit that we look for
  for (std::uint64_t region = first; region < regions_; ++region) {
    while (region % 8 == 0 && region < regions_ && bytes_[region / 8] == uniform) region += 8;
    if (region < regions_ && test(region) == in_set) return region;
  }
  return regions_;
}

std::uint64_t RegionMap::count() const {
  std::uint64_t set = 0;
  for (std::uint64_t region = next(0, true); region < regions_; region = next(region + 1, true))
    ++set;
  return set;
}

Result<void> RegionMap::read(const Layout& layout, const MetaIo& meta) {
  return meta.read(layout.journal_start() * kSectorSize, bytes_);
}

Result<void> RegionMap::write(const Layout& layout, MetaIo& meta, std::uint64_t first_block,
                              std::uint64_t blocks) const {
  return meta.write(layout.journal_start() * kSectorSize + first_block * kBlockSize,
                    ByteSpan(bytes_).subspan(first_block * kBlockSize, blocks * kBlockSize));
}

}  // namespace intact::integrity
