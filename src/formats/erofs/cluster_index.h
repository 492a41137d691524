#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/base/stream.h>
#include <intact/erofs/format.h>

namespace intact::erofs {

/// An entry of an index.
struct Cluster {
  ClusterType type = ClusterType::nonhead;
  std::uint32_t offset = 0;  ///< head: byte of the logical cluster where its extent begins
  std::uint32_t block = 0;   ///< head: first block of its physical cluster
  std::uint32_t blocks = 0;  ///< nonhead: of the physical cluster; 0: not said here
};

/// Where the packs of a compact index are: some of 2 entries up to the first multiple of 32
/// bytes, then, if the file has them, as many of 16 as there are, then the rest in 2s.
class CompactLayout {
 public:
  /// `begin`: of the index, a multiple of 8.
  CompactLayout(std::uint64_t begin, std::uint64_t entries, bool wide_packs);

  std::uint64_t size() const;  ///< bytes of the index

  struct Pack {
    std::uint64_t offset;  ///< from the start of the index, in bytes
    std::size_t entries;   ///< 2 or 16; those after the last one of the file have no meaning
    std::size_t size() const { return entries * (entries == 2 ? 4 : 2); }  ///< bytes
  };
  /// The pack that begins with this entry.
  Pack pack_at(std::uint64_t entry) const;

 private:
  std::uint64_t entries_;
  std::uint64_t narrow_;  ///< entries before the wide packs
  std::uint64_t wide_;    ///< entries in wide packs
};

/// Reads the entries of an index from the first to the last, some KiB at a time. Not thread-safe.
class ClusterReader {
 public:
  struct Index {
    bool compact;
    bool big_clusters;  ///< physical clusters of many blocks occur
    bool wide_packs;
    std::uint64_t offset;   ///< byte of the image
    std::uint64_t size;     ///< bytes
    std::uint64_t entries;  ///< logical clusters of the file
  };
  ClusterReader(const ByteSource& source, const Index& index);

  /// The next entry; must not be called more often than there are any. malformed without context.
  Result<Cluster> next();

 private:
  Result<Cluster> next_full();
  Result<Cluster> next_compact();
  Result<void> load_pack();
  Result<ByteSpan> bytes_at(std::uint64_t offset, std::size_t length);

  const ByteSource& source_;
  Index index_;
  CompactLayout layout_;
  std::uint64_t at_ = 0;  ///< number of the next entry

  std::array<Cluster, 16> pack_;
  std::size_t pack_next_ = 0;
  std::size_t pack_entries_ = 0;

  Bytes window_;  ///< a part of the index
  std::uint64_t window_offset_ = 0;
};

/// Decodes a pack of a compact index: 2 entries in 8 bytes or 16 in 32. malformed without context.
Result<void> decode_pack(ByteSpan bytes, bool big_clusters, std::span<Cluster> out);

}  // namespace intact::erofs
