#pragma once

#include <cstdint>

#include <intact/base/bytes.h>
#include <intact/base/endian.h>
#include <intact/integrity/layout.h>

namespace intact::integrity {

constexpr std::uint32_t kEntrySectors = 8;     ///< at the beginning of a section
constexpr std::size_t kCommitIdOffset = 504;   ///< in each sector of the journal
constexpr std::size_t kSectorMacOffset = 496;  ///< in each entry sector, if there is a MAC
constexpr std::size_t kSectorMacSize = 8;      ///< bytes

/// A section of the journal in memory, unencrypted. Entry n is in sector n % 8, after those of
/// n - 8, n - 16...: its logical sector, the last 8 bytes of each sector of its block, its tag. The
/// block itself follows the entry sectors; commit ids replace the last 8 bytes of its sectors.
class SectionImage {
 public:
  explicit SectionImage(const Layout& layout);

  ByteSpan bytes() const { return bytes_; }
  MutableByteSpan bytes() { return bytes_; }
  ByteSpan sector_bytes(std::uint32_t index) const {
    return ByteSpan(bytes_).subspan(index * kSectorSize, kSectorSize);
  }
  MutableByteSpan sector_bytes(std::uint32_t index) {
    return MutableByteSpan(bytes_).subspan(index * kSectorSize, kSectorSize);
  }

  /// Marks all entries unused.
  void clear();
  bool used(std::uint32_t entry) const;
  std::uint64_t sector(std::uint32_t entry) const;  ///< as stored
  /// The stored form of its sector: what the section's MAC covers.
  ByteSpan sector_field(std::uint32_t entry) const { return entry_bytes(entry).first(8); }
  ByteSpan tag(std::uint32_t entry) const;

  void set(std::uint32_t entry, std::uint64_t sector, ByteSpan block, ByteSpan tag);
  /// The whole block, as it was given to set(). Commit ids may be written meanwhile.
  void copy_block(std::uint32_t entry, MutableByteSpan out) const;

 private:
  ByteSpan entry_bytes(std::uint32_t entry) const;
  MutableByteSpan entry_bytes(std::uint32_t entry);
  std::size_t block_offset(std::uint32_t entry) const;

  SectionGeometry geometry_;
  std::uint32_t block_sectors_;
  std::uint32_t tag_size_;
  Bytes bytes_;
};

}  // namespace intact::integrity
