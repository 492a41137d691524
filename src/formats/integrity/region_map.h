#pragma once

#include <algorithm>
#include <cstdint>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/integrity/layout.h>

#include "meta_io.h"

namespace intact::integrity {

/// A set of regions of a device, one bit each, in the on-disk form of the bitmap: bit n is bit n %
/// 8 of byte n / 8. Not thread-safe.
class RegionMap {
 public:
  static constexpr std::size_t kBlockSize = 4096;  ///< bytes; the unit in which it is written

  /// Error limit if the map of such regions takes more than 64 MiB. To be called where the
  /// superblock says how large they are: several maps are in memory at a time.
  static Result<void> check_size(const Layout& layout, unsigned log2_sectors);
  /// An empty set of regions of 2^`log2_sectors` sectors.
  RegionMap(const Layout& layout, unsigned log2_sectors);

  unsigned log2_sectors() const { return log2_sectors_; }
  std::uint64_t regions() const { return regions_; }
  std::uint64_t region_of(std::uint64_t sector) const { return sector >> log2_sectors_; }

  bool test(std::uint64_t region) const;
  bool all_set(std::uint64_t first, std::uint64_t last) const;  ///< `last` included, as everywhere
  void set(std::uint64_t first, std::uint64_t last);
  void clear(std::uint64_t first, std::uint64_t last);
  /// Sets the rest of the last block too, so that all are set in any other granularity as well.
  void set_all() { std::ranges::fill(bytes_, std::byte{0xff}); }
  /// The first region from `first` on that is in the set, or is not; regions() if there is none.
  std::uint64_t next(std::uint64_t first, bool in_set) const;
  std::uint64_t count() const;
  bool empty() const { return next(0, true) == regions_; }

  std::uint64_t blocks() const { return bytes_.size() / kBlockSize; }
  ByteSpan block(std::uint64_t index) const {
    return ByteSpan(bytes_).subspan(index * kBlockSize, kBlockSize);
  }
  /// The block that contains the bit of this region.
  static std::uint64_t block_of(std::uint64_t region) { return region / (kBlockSize * 8); }

  /// Read from and written to the beginning of the journal's space. Not flushed.
  Result<void> read(const Layout& layout, const MetaIo& meta);
  Result<void> write(const Layout& layout, MetaIo& meta, std::uint64_t first_block,
                     std::uint64_t blocks) const;
  Result<void> write(const Layout& layout, MetaIo& meta) const {
    return write(layout, meta, 0, blocks());
  }

 private:
  unsigned log2_sectors_;
  std::uint64_t regions_;
  Bytes bytes_;
};

}  // namespace intact::integrity
