#include "cluster_index.h"

#include <algorithm>

#include <intact/base/checked.h>
#include <intact/base/endian.h>

namespace intact::erofs {
namespace {

constexpr std::size_t kWindowSize = 16 << 10;  // bytes
constexpr std::uint64_t kWideAlignment = 32;   // bytes; of packs of 16
constexpr unsigned kValueBits = 12;            // of an entry in a pack

Error malformed(std::string_view what) {
  return Error(ErrorKind::malformed, std::string(what));
}

/// An entry of a pack as it is stored.
struct PackedEntry {
  ClusterType type;
  std::uint32_t value;

  bool is_head() const { return type != ClusterType::nonhead; }
  bool has_block_count() const { return !is_head() && (value & kBlockCount) != 0; }
  std::uint32_t block_count() const { return value & (kBlockCount - 1); }
};

PackedEntry packed_entry(ByteSpan pack, std::size_t bit) {
  // 14 bits that begin anywhere lie within 3 bytes.
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < 3 && bit / 8 + i < pack.size(); ++i)
    bits |= std::to_integer<std::uint32_t>(pack[bit / 8 + i]) << (8 * i);
  bits >>= bit % 8;
  return {.type = static_cast<ClusterType>(bits >> kValueBits & kClusterTypeMask),
          .value = bits & ((1u << kValueBits) - 1)};
}

}  // namespace

Result<void> decode_pack(ByteSpan bytes, bool big_clusters, std::span<Cluster> out) {
  const std::size_t entry_bits = (bytes.size() - sizeof(le32)) * 8 / out.size();
  // The base is the block of the last cluster that begins before the pack, where all have one
  // block; else that of the first cluster which a head or a block count in this pack belongs to.
  std::uint32_t block = TRY(load<le32>(bytes, bytes.size() - sizeof(le32))).get();
  if (!big_clusters) ++block;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const PackedEntry entry = packed_entry(bytes, i * entry_bits);
    out[i] = {.type = entry.type};
    if (entry.has_block_count()) {
      if (!big_clusters)
        return malformed("a cluster of several blocks in an image without big clusters");
      out[i].blocks = entry.block_count();
      block += entry.block_count();
    } else if (entry.is_head()) {
      out[i].offset = entry.value;
      out[i].block = block;
      const bool counted =
          i + 1 < out.size() && packed_entry(bytes, (i + 1) * entry_bits).has_block_count();
      if (!counted) ++block;
    }
  }
  return {};
}

CompactLayout::CompactLayout(std::uint64_t begin, std::uint64_t entries, bool wide_packs)
    : entries_(entries),
      narrow_((kWideAlignment - begin % kWideAlignment) % kWideAlignment / sizeof(le32)),
      wide_(wide_packs && narrow_ < entries ? (entries - narrow_) / 16 * 16 : 0) {}

std::uint64_t CompactLayout::size() const {
  return wide_ * 2 + divide_up<std::uint64_t>(entries_ - wide_, 2) * 8;
}

CompactLayout::Pack CompactLayout::pack_at(std::uint64_t entry) const {
  if (wide_ == 0 || entry < narrow_) return {.offset = entry * 4, .entries = 2};
  if (entry < narrow_ + wide_)
    return {.offset = narrow_ * 4 + (entry - narrow_) * 2, .entries = 16};
  return {.offset = wide_ * 2 + (entry - wide_) * 4, .entries = 2};
}

ClusterReader::ClusterReader(const ByteSource& source, const Index& index)
    : source_(source), index_(index), layout_(index.offset, index.entries, index.wide_packs) {}

Result<Cluster> ClusterReader::next() {
  return index_.compact ? next_compact() : next_full();
}

Result<Cluster> ClusterReader::next_full() {
  const std::uint64_t offset = at_++ * sizeof(RawClusterIndex);
  const auto raw = TRY(load<RawClusterIndex>(TRY(bytes_at(offset, sizeof(RawClusterIndex))), 0));
  Cluster cluster{.type = static_cast<ClusterType>(raw.advise.get() & kClusterTypeMask)};
  const std::uint32_t block_or_distances = raw.block_or_distances.get();
  if (cluster.type != ClusterType::nonhead) {
    cluster.offset = raw.cluster_offset.get();
    cluster.block = block_or_distances;
    if (cluster.offset >= kBlockSize)
      return malformed("an extent begins after the end of its cluster");
  } else if ((block_or_distances & kBlockCount) != 0) {
    if (!index_.big_clusters)
      return malformed("a cluster of several blocks in an image without big clusters");
    cluster.blocks = block_or_distances & (kBlockCount - 1);
  }
  return cluster;
}

Result<Cluster> ClusterReader::next_compact() {
  if (pack_next_ == pack_entries_) TRY(load_pack());
  ++at_;
  return pack_[pack_next_++];
}

Result<void> ClusterReader::load_pack() {
  const CompactLayout::Pack pack = layout_.pack_at(at_);
  const ByteSpan bytes = TRY(bytes_at(pack.offset, pack.size()));
  TRY(decode_pack(bytes, index_.big_clusters, std::span(pack_).first(pack.entries)));
  pack_entries_ = pack.entries;
  pack_next_ = 0;
  return {};
}

/// Bytes of the index, valid until the next call. They follow those of the call before.
Result<ByteSpan> ClusterReader::bytes_at(std::uint64_t offset, std::size_t length) {
  if (offset < window_offset_ || offset + length > window_offset_ + window_.size()) {
    if (length > index_.size || offset > index_.size - length)
      return malformed("its index is too short");
    window_.resize(
        static_cast<std::size_t>(std::min<std::uint64_t>(kWindowSize, index_.size - offset)));
    window_offset_ = offset;
    TRY(source_.read(index_.offset + offset, window_));
  }
  return ByteSpan(window_).subspan(static_cast<std::size_t>(offset - window_offset_), length);
}

}  // namespace intact::erofs
