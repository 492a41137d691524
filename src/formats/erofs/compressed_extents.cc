#include <algorithm>
#include <optional>

#include <intact/base/checked.h>
#include <intact/erofs/extent_map.h>

#include "cluster_index.h"
#include "damage.h"
#include "ranges.h"

// The maps of compressed files.
namespace intact::erofs {
namespace {

/// An extent of which the end is not known yet.
struct OpenExtent {
  std::uint64_t number;  ///< of the logical cluster with its head
  std::uint64_t begin;   ///< byte of the file
  Cluster head;
  std::uint32_t blocks = 0;  ///< of its physical cluster; 0: not said
  bool continued = false;    ///< the next logical cluster has no head
};

/// Turns entries of an index into extents.
class ExtentBuilder {
 public:
  ExtentBuilder(std::uint64_t file_size, std::uint64_t image_size, std::uint16_t advise)
      : file_size_(file_size), image_size_(image_size), advise_(advise) {}

  /// The extent that ends before this entry, if one does. malformed without context.
  Result<std::optional<Extent>> add(std::uint64_t number, const Cluster& cluster) {
    if (cluster.type == ClusterType::nonhead) {
      TRY(extend(number, cluster));
      return std::nullopt;
    }
    const std::uint64_t begin = number * kBlockSize + cluster.offset;
    // A head at or after the end of the file only ends the extent before it.
    if (begin >= file_size_) return std::nullopt;
    std::optional<Extent> ended;
    if (open_)
      ended = TRY(close(begin));
    else if (begin != 0)
      return malformed("its first extent begins after its first byte");
    open_ = OpenExtent{.number = number, .begin = begin, .head = cluster};
    return ended;
  }

  /// The extent that the file ends with.
  Result<OpenExtent> last() const {
    if (!open_) return malformed("no extent begins in its index");
    return *open_;
  }

  /// The extent that is open, ended before byte `end` of the file.
  Result<Extent> close(std::uint64_t end) const {
    const bool big = (advise_ & (open_->head.type == ClusterType::head1 ? kAdviseBigHead1
                                                                        : kAdviseBigHead2)) != 0;
    if (big && open_->continued && open_->blocks == 0)
      return malformed("a big cluster without its number of blocks");
    const std::uint64_t blocks = big && open_->continued ? open_->blocks : 1;
    const Extent extent{.logical = open_->begin,
                        .length = end - open_->begin,
                        .offset = std::uint64_t{open_->head.block} * kBlockSize,
                        .stored_length = blocks * kBlockSize};
    if (!fits(image_size_, extent.offset, extent.stored_length))
      return malformed("its data is beyond the end of the image");
    return extent;
  }

 private:
  static Error malformed(std::string_view what) {
    return Error(ErrorKind::malformed, std::string(what));
  }

  Result<void> extend(std::uint64_t number, const Cluster& cluster) {
    if (!open_) return malformed("its index does not begin with a head");
    const bool first = number == open_->number + 1;
    if (first)
      open_->blocks = cluster.blocks;
    else if (cluster.blocks != 0)
      return malformed("a number of blocks that does not follow a head");
    open_->continued = true;
    return {};
  }

  std::uint64_t file_size_;
  std::uint64_t image_size_;
  std::uint16_t advise_;
  std::optional<OpenExtent> open_;
};

}  // namespace

std::uint64_t map_header_end(const Inode& inode) {
  return align_up<std::uint64_t>(inode.tail_offset, 8) + sizeof(RawMapHeader);
}

Result<void> ExtentMap::open_compressed() {
  const std::uint64_t header_offset = map_header_end(inode_) - sizeof(RawMapHeader);
  TRY(place_table(header_offset, sizeof(RawMapHeader)));
  RawMapHeader header;
  TRY(image_->source().read(header_offset, std::as_writable_bytes(std::span(&header, 1))));
  const auto number = TRY(load<le64>(std::as_bytes(std::span(&header, 1)), 0)).get();
  if ((number & kWholeFileFragment) != 0) {
    advise_ = kAdviseFragment;
    fragment_offset_ = number ^ kWholeFileFragment;
    return {};  // no index
  }

  const bool compact = inode_.layout == Layout::compressed;
  advise_ = header.advise.get();
  if ((advise_ & ~kAdviseKnownBits) != 0 || (!compact && (advise_ & kAdviseExtents) != 0))
    return unsupported_inode(inode_.nid, "unknown kind of compressed data");
  if ((header.cluster_bits & 15) != 0)
    return unsupported_inode(inode_.nid, "logical clusters larger than a block");
  if ((advise_ & kAdviseFragment) != 0 && (advise_ & kAdviseInline) != 0)
    return bad_inode(inode_.nid, "its end is both a fragment and inline");
  const bool big1 = (advise_ & kAdviseBigHead1) != 0;
  const bool big2 = (advise_ & kAdviseBigHead2) != 0;
  if (compact && big1 != big2)
    return bad_inode(inode_.nid, "a compact index with big clusters of one kind only");
  if ((advise_ & kAdviseFragment) != 0)
    fragment_offset_ =
        std::uint64_t{header.inline_size.get()} << 16 | header.fragment_offset_low.get();
  if ((advise_ & kAdviseInline) != 0) inline_size_ = header.inline_size.get();

  const std::uint64_t image_size = image_->superblock().size;
  entries_ = divide_up<std::uint64_t>(inode_.attributes.size, kBlockSize);
  // Two bytes for an entry are the least; so nothing below can wrap.
  if (entries_ > image_size / 2)
    return bad_inode(inode_.nid, "more clusters than fit in the image");
  const std::uint64_t begin = header_offset + sizeof(RawMapHeader) + (compact ? 0 : kFullIndexGap);
  const std::uint64_t index_size =
      compact ? CompactLayout(begin, entries_, (advise_ & kAdviseWidePacks) != 0).size()
              : entries_ * sizeof(RawClusterIndex);
  TRY(place_table(begin, index_size + inline_size_));
  const std::uint64_t inline_offset = begin + index_size;
  if (inline_offset % kBlockSize + inline_size_ > kBlockSize)
    return bad_inode(inode_.nid, "its inline cluster crosses a block boundary");
  return {};
}

Result<void> ExtentMap::list_clusters(const Emit& emit) const {
  const std::uint64_t size = inode_.attributes.size;
  const auto fragment = [&](std::uint64_t logical, std::uint64_t offset) -> Result<void> {
    if (!checked_add(offset, size))
      return bad_inode(inode_.nid, "a fragment whose end is out of range");
    return emit({.place = Extent::Place::packed,
                 .logical = logical,
                 .length = size - logical,
                 .offset = offset,
                 .stored_length = size - logical});
  };
  if (entries_ == 0) return fragment(0, fragment_offset_);

  const std::uint64_t index_size = metadata_end_ - table_offset_ - inline_size_;
  ClusterReader reader(image_->source(),
                       {.compact = inode_.layout == Layout::compressed,
                        .big_clusters = (advise_ & (kAdviseBigHead1 | kAdviseBigHead2)) != 0,
                        .wide_packs = (advise_ & kAdviseWidePacks) != 0,
                        .offset = table_offset_,
                        .size = index_size,
                        .entries = entries_});
  const std::string context = fmt::format("EROFS image, inode {}", inode_.nid);
  ExtentBuilder builder(size, image_->superblock().size, advise_);
  for (std::uint64_t number = 0; number < entries_; ++number) {
    const Cluster cluster = TRY(reader.next().context(context));
    if (const auto ended = TRY(builder.add(number, cluster).context(context))) TRY(emit(*ended));
  }

  const OpenExtent last = TRY(builder.last().context(context));
  if ((advise_ & kAdviseFragment) != 0) {
    // The compact index has no room for more than the 32 bits of the header.
    const std::uint64_t high = inode_.layout == Layout::compressed_full ? last.head.block : 0;
    return fragment(last.begin, fragment_offset_ | high << 32);
  }
  if (inline_size_ > 0)
    return emit({.logical = last.begin,
                 .length = size - last.begin,
                 .offset = table_offset_ + index_size,
                 .stored_length = inline_size_});
  return emit(TRY(builder.close(size).context(context)));
}

}  // namespace intact::erofs
