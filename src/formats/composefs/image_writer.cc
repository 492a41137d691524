#include "image_writer.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include <intact/base/checked.h>
#include <intact/erofs/image.h>
#include <intact/erofs/xattr.h>

#include "format.h"

namespace intact::composefs {
namespace {

using erofs::kBlockSize;
using erofs::kSlotSize;

constexpr std::uint64_t kFirstInode = erofs::kSuperblockOffset + sizeof(erofs::RawSuperblock);

template <OnDisk Raw>
void store(MutableByteSpan out, const Raw& raw) {
  std::memcpy(out.data(), &raw, sizeof raw);
}

void store(MutableByteSpan out, std::string_view text) {
  const ByteSpan bytes = as_bytes(text);
  std::copy(bytes.begin(), bytes.end(), out.begin());
}

/// One block or tail of a directory: all entries, then all names.
class DirentBlock {
 public:
  void add(std::string_view name, std::uint64_t nid, erofs::FileType type) {
    entries_.push_back({name, nid, type});
  }
  /// Writes it to the front of `out` and starts anew.
  void flush(MutableByteSpan out) {
    std::size_t name_offset = entries_.size() * sizeof(erofs::RawDirent);
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      const erofs::Dirent& entry = entries_[i];
      store(out.subspan(i * sizeof(erofs::RawDirent)),
            erofs::RawDirent{.nid = entry.nid,
                             .name_offset = static_cast<std::uint16_t>(name_offset),
                             .file_type = static_cast<std::uint8_t>(entry.type)});
      store(out.subspan(name_offset), entry.name);
      name_offset += entry.name.size();
    }
    entries_.clear();
  }

 private:
  std::vector<erofs::Dirent> entries_;
};

Error too_big(std::string_view what) {
  return Error(ErrorKind::limit, fmt::format("cannot write the image: {}", what));
}

}  // namespace

/// What the layout needs to know of the inodes of a range.
Result<void> ImageWriter::measure(std::size_t range) {
  InodePlanner planner(numbering_, format_version_, shared_.places(range));
  for (NodeNumber i = ranges_[range].begin; i < ranges_[range].end; ++i) {
    const InodePlan plan = TRY(planner.next(i));
    sizes_[i] = {.head = static_cast<std::uint32_t>(plan.head()),
                 .tail = plan.parts.tail,
                 .blocks = plan.parts.blocks};
  }
  return {};
}

Placement ImageWriter::place(NodeNumber number, std::uint64_t position) const {
  const InodeSize& size = sizes_[number];
  const SizeParts parts{.blocks = size.blocks, .tail = size.tail};
  return numbering_.nodes()[number].inode->attributes.is_symlink()
             ? place_symlink(position, size.head, parts)
             : place_inode(position, size.head, parts);
}

Result<void> ImageWriter::lay_out() {
  sizes_.resize(numbering_.nodes().size());
  TRY(for_each_range(ranges_.size(), threads_, [this](std::size_t i) { return measure(i); }));
  std::uint64_t position = kFirstInode;
  for (const NodeRange& range : ranges_) {
    blocks_before_.push_back(data_blocks_);
    for (NodeNumber i = range.begin; i < range.end; ++i) {
      const Placement placement = place(i, position);
      const std::uint64_t nid = placement.offset / kSlotSize;
      if (nid > UINT32_MAX) return too_big("too many files");
      numbering_.nodes()[i].nid = static_cast<std::uint32_t>(nid);
      data_blocks_ += placement.parts.blocks;
      position = placement.end;
    }
  }
  inodes_end_ = align_up<std::uint64_t>(position, kSlotSize);
  data_begin_ = align_up<std::uint64_t>(inodes_end_ + shared_.table_size(), kBlockSize);
  if (numbering_.nodes().front().nid > UINT16_MAX)
    return too_big("the extended attributes of the root are too large");
  if (data_begin_ / kBlockSize + data_blocks_ > UINT32_MAX) return too_big("too many blocks");
  return {};
}

/// Threads write to different bytes of the image, and change nothing but these.
class ImageWriter::RangeWriter {
 public:
  RangeWriter(ImageWriter& image, std::size_t range)
      : image_(image),
        numbering_(image.numbering_),
        range_(image.ranges_[range]),
        planner_(image.numbering_, image.format_version_, image.shared_.places(range)),
        next_block_(image.data_begin_ / kBlockSize + image.blocks_before_[range]) {}

  Result<void> write() {
    for (NodeNumber i = range_.begin; i < range_.end; ++i) {
      const InodePlan plan = TRY(planner_.next(i, &image_.sizes_[i]));
      // Placed again from its own offset it stays there: every rule gives the first fitting place.
      const std::uint64_t offset = std::uint64_t{numbering_.nodes()[i].nid} * kSlotSize;
      const Placement placement = image_.place(i, offset);
      write_inode(plan, placement, i);
      next_block_ += placement.parts.blocks;
    }
    return {};
  }

 private:
  void write_inode(const InodePlan& plan, const Placement& placement, NodeNumber number);
  void write_xattrs(const InodePlan& plan, std::uint64_t offset);
  void write_data(const InodePlan& plan, const Placement& placement, NodeNumber number);
  void write_directory(const Placement& placement, std::uint64_t tail_offset, NodeNumber number);
  MutableByteSpan at(std::uint64_t offset) { return image_.at(offset); }

  ImageWriter& image_;
  const Numbering& numbering_;
  NodeRange range_;
  InodePlanner planner_;
  std::uint64_t next_block_;  ///< the next data block of the image
};

Result<Bytes> ImageWriter::write() {
  TRY(lay_out());
  image_.resize(data_begin_ + data_blocks_ * kBlockSize);
  write_superblock();
  TRY(for_each_range(ranges_.size(), threads_,
                     [this](std::size_t i) { return RangeWriter(*this, i).write(); }));
  shared_.encode(at(inodes_end_));
  return std::move(image_);
}

void ImageWriter::write_superblock() {
  store(at(0), RawHeader{.magic = kHeaderMagic,
                         .version = kHeaderVersion,
                         .flags = shared_.has_acl() ? kHeaderFlagAcl : 0,
                         .format_version = format_version_});
  erofs::RawSuperblock super;
  super.magic = erofs::kMagic;
  super.feature_compat = erofs::kCompatMtime | erofs::kCompatXattrFilter;
  super.block_bits = erofs::kBlockBits;
  super.root_nid = static_cast<std::uint16_t>(numbering_.nodes().front().nid);
  super.inos = numbering_.nodes().size();
  super.build_time = static_cast<std::uint64_t>(numbering_.earliest_mtime().seconds);
  super.build_time_nsec = numbering_.earliest_mtime().nanoseconds;
  super.blocks = static_cast<std::uint32_t>(image_.size() / kBlockSize);
  super.xattr_blkaddr = static_cast<std::uint32_t>(inodes_end_ / kBlockSize);
  store(at(erofs::kSuperblockOffset), super);
}

void ImageWriter::RangeWriter::write_inode(const InodePlan& plan, const Placement& placement,
                                           NodeNumber number) {
  const tree::Attributes& attributes = plan.inode.attributes;
  const bool has_data =
      attributes.is_directory() || attributes.is_regular() || attributes.is_symlink();
  auto layout = placement.parts.tail > 0 ? erofs::Layout::tail_packed : erofs::Layout::plain;
  if (plan.inode.external) layout = erofs::Layout::chunked;

  std::uint32_t u = attributes.rdev;
  if (placement.parts.blocks > 0) u = static_cast<std::uint32_t>(next_block_);
  if (plan.inode.external) u = (u & 0xFFFF0000) | (chunk_bits(attributes.size) - erofs::kBlockBits);

  const auto format =
      static_cast<std::uint16_t>(static_cast<unsigned>(layout) << erofs::kFormatLayoutShift |
                                 (plan.extended ? erofs::kFormatExtended : 0u));
  const auto icount = static_cast<std::uint16_t>(erofs::xattr_icount(plan.xattr_area));
  const auto mode = static_cast<std::uint16_t>(attributes.mode);
  const std::uint64_t size = has_data ? attributes.size : 0;
  if (plan.extended) {
    erofs::RawInodeExtended raw;
    raw.format = format;
    raw.xattr_icount = icount;
    raw.mode = mode;
    raw.size = size;
    raw.u = u;
    raw.ino = number;
    raw.uid = attributes.uid;
    raw.gid = attributes.gid;
    raw.mtime = static_cast<std::uint64_t>(attributes.mtime.seconds);
    raw.mtime_nsec = attributes.mtime.nanoseconds;
    raw.nlink = attributes.nlink;
    store(at(placement.offset), raw);
  } else {
    erofs::RawInodeCompact raw;
    raw.format = format;
    raw.xattr_icount = icount;
    raw.mode = mode;
    raw.nlink = static_cast<std::uint16_t>(attributes.nlink);
    raw.size = static_cast<std::uint32_t>(size);
    raw.u = u;
    raw.ino = number;
    raw.uid = static_cast<std::uint16_t>(attributes.uid);
    raw.gid = static_cast<std::uint16_t>(attributes.gid);
    store(at(placement.offset), raw);
  }
  write_xattrs(plan, placement.offset + plan.head() - plan.xattr_area);
  write_data(plan, placement, number);
}

void ImageWriter::RangeWriter::write_xattrs(const InodePlan& plan, std::uint64_t offset) {
  if (plan.xattr_area == 0) return;
  std::uint32_t filter = UINT32_MAX;
  std::uint64_t id_offset = offset + sizeof(erofs::RawXattrHeader);
  std::uint64_t entry_offset = id_offset + plan.shared_count * sizeof(le32);
  for (std::size_t i = 0; i < plan.xattrs->size(); ++i) {
    const XattrView& xattr = (*plan.xattrs)[i];
    filter &= ~(1u << erofs::xattr_filter_bit(erofs::split_xattr_name(xattr.name)));
    if (const std::uint32_t place = plan.places[i]; place != SharedXattrs::kNotShared) {
      const std::uint64_t from_block = image_.inodes_end_ % kBlockSize / 4 + place;
      store(at(id_offset), le32(static_cast<std::uint32_t>(from_block)));
      id_offset += sizeof(le32);
    } else {
      entry_offset += erofs::encode_xattr_entry(xattr.name, xattr.value, at(entry_offset));
    }
  }
  erofs::RawXattrHeader header;
  header.name_filter = filter;
  header.shared_count = static_cast<std::uint8_t>(plan.shared_count);
  store(at(offset), header);
}

void ImageWriter::RangeWriter::write_data(const InodePlan& plan, const Placement& placement,
                                          NodeNumber number) {
  const ImageInode& inode = plan.inode;
  const std::uint64_t tail_offset = placement.end - placement.parts.tail;
  const std::uint64_t block_offset = next_block_ * kBlockSize;
  if (inode.attributes.is_directory()) {
    write_directory(placement, tail_offset, number);
  } else if (inode.external) {
    // Holes only. A table that has become a block fills the whole of it.
    const bool moved = placement.parts.tail == 0;
    std::memset(at(moved ? block_offset : tail_offset).data(), 0xFF,
                moved ? kBlockSize : placement.parts.tail);
  } else if (inode.attributes.is_regular() || inode.attributes.is_symlink()) {
    const std::string_view data =
        inode.attributes.is_symlink() ? numbering_.nodes()[number].inode->payload : inode.content;
    const std::size_t in_blocks = data.size() - placement.parts.tail;
    store(at(block_offset), data.substr(0, in_blocks));
    store(at(tail_offset), data.substr(in_blocks));
  }
}

void ImageWriter::RangeWriter::write_directory(const Placement& placement,
                                               std::uint64_t tail_offset, NodeNumber number) {
  DirectoryPacker packer;
  DirentBlock pending;
  std::uint64_t block = next_block_;
  numbering_.each_name(number, [&](std::string_view name, NodeNumber target) {
    if (packer.add(name.size())) pending.flush(at(block++ * kBlockSize));
    const Numbering::Node& node = numbering_.nodes()[target];
    pending.add(name, node.nid, erofs::file_type_of(planner_.mode(node)));
  });
  pending.flush(at(placement.parts.tail > 0 ? tail_offset : block * kBlockSize));
}

}  // namespace intact::composefs
