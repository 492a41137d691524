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

std::size_t ImageWriter::Plan::head() const {
  return (extended ? sizeof(erofs::RawInodeExtended) : sizeof(erofs::RawInodeCompact)) + xattr_area;
}

Result<ImageWriter::Plan> ImageWriter::plan(NodeNumber number) {
  const Numbering::Node& node = numbering_.nodes()[number];
  Plan plan{.inode = rewriter_.inode(node), .xattrs = TRY(rewriter_.xattrs(node))};
  tree::Attributes& attributes = plan.inode.attributes;

  std::size_t own_size = 0;
  shared_offsets_.clear();
  for (const XattrView& xattr : *plan.xattrs) {
    const bool may_share = plan.shared_count < SharedXattrs::kMaxPerInode;
    const auto shared = may_share ? shared_.offset_of(xattr) : std::nullopt;
    shared_offsets_.push_back(shared);
    if (shared)
      ++plan.shared_count;
    else
      own_size += erofs::xattr_entry_size(xattr.name, xattr.value.size());
  }
  plan.shared = shared_offsets_;
  if (!plan.xattrs->empty())
    plan.xattr_area = sizeof(erofs::RawXattrHeader) + plan.shared_count * sizeof(le32) + own_size;
  if (erofs::xattr_icount(plan.xattr_area) > UINT16_MAX)
    return too_big("the extended attributes of a file are too large");

  if (attributes.is_directory()) {
    plan.parts = directory_parts(number);
    attributes.size = plan.parts.blocks * kBlockSize + plan.parts.tail;
  } else if (attributes.is_symlink()) {
    plan.parts.tail = static_cast<std::uint32_t>(attributes.size);
  } else if (plan.inode.external) {
    plan.parts.tail = static_cast<std::uint32_t>(chunk_count(attributes.size) * sizeof(le32));
  } else if (attributes.is_regular()) {
    plan.parts = content_parts(attributes.size);
  }
  plan.extended = attributes.mtime != numbering_.earliest_mtime() ||
                  attributes.nlink > UINT16_MAX || attributes.uid > UINT16_MAX ||
                  attributes.gid > UINT16_MAX || attributes.size > UINT32_MAX;
  return plan;
}

SizeParts ImageWriter::directory_parts(NodeNumber number) const {
  DirectoryPacker packer;
  merge_names(*numbering_.nodes()[number].inode, number == 0,
              [&](std::string_view name, Child, const tree::Entry*) { packer.add(name.size()); });
  return packer.parts();
}

Placement ImageWriter::place(const Plan& plan, std::uint64_t position) const {
  return plan.inode.attributes.is_symlink() ? place_symlink(position, plan.head(), plan.parts)
                                            : place_inode(position, plan.head(), plan.parts);
}

Result<void> ImageWriter::lay_out() {
  std::uint64_t position = kFirstInode;
  for (NodeNumber i = 0; i < numbering_.nodes().size(); ++i) {
    const Plan planned = TRY(plan(i));
    const Placement placement = place(planned, position);
    const std::uint64_t nid = placement.offset / kSlotSize;
    if (nid > UINT32_MAX) return too_big("too many files");
    numbering_.nodes()[i].nid = static_cast<std::uint32_t>(nid);
    data_blocks_ += placement.parts.blocks;
    position = placement.end;
  }
  inodes_end_ = align_up<std::uint64_t>(position, kSlotSize);
  data_begin_ = align_up<std::uint64_t>(inodes_end_ + shared_.table_size(), kBlockSize);
  if (numbering_.nodes().front().nid > UINT16_MAX)
    return too_big("the extended attributes of the root are too large");
  if (data_begin_ / kBlockSize + data_blocks_ > UINT32_MAX) return too_big("too many blocks");
  return {};
}

Result<Bytes> ImageWriter::write() {
  TRY(lay_out());
  image_.resize(data_begin_ + data_blocks_ * kBlockSize);
  write_superblock();
  next_block_ = data_begin_ / kBlockSize;
  for (NodeNumber i = 0; i < numbering_.nodes().size(); ++i) {
    const Plan planned = TRY(plan(i));
    // Placed again from its own offset it stays there: every rule gives the first fitting place.
    const std::uint64_t offset = std::uint64_t{numbering_.nodes()[i].nid} * kSlotSize;
    const Placement placement = place(planned, offset);
    write_inode(planned, placement, i);
    next_block_ += placement.parts.blocks;
  }
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

void ImageWriter::write_inode(const Plan& plan, const Placement& placement, NodeNumber number) {
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

void ImageWriter::write_xattrs(const Plan& plan, std::uint64_t offset) {
  if (plan.xattr_area == 0) return;
  std::uint32_t filter = UINT32_MAX;
  std::uint64_t id_offset = offset + sizeof(erofs::RawXattrHeader);
  std::uint64_t entry_offset = id_offset + plan.shared_count * sizeof(le32);
  for (std::size_t i = 0; i < plan.xattrs->size(); ++i) {
    const XattrView& xattr = (*plan.xattrs)[i];
    filter &= ~(1u << erofs::xattr_filter_bit(erofs::split_xattr_name(xattr.name)));
    if (const auto shared = plan.shared[i]) {
      const std::uint64_t from_block = inodes_end_ % kBlockSize + *shared;
      store(at(id_offset), le32(static_cast<std::uint32_t>(from_block / 4)));
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

void ImageWriter::write_data(const Plan& plan, const Placement& placement, NodeNumber number) {
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

void ImageWriter::write_directory(const Placement& placement, std::uint64_t tail_offset,
                                  NodeNumber number) {
  DirectoryPacker packer;
  DirentBlock pending;
  std::uint64_t block = next_block_;
  numbering_.each_name(number, [&](std::string_view name, NodeNumber target) {
    if (packer.add(name.size())) pending.flush(at(block++ * kBlockSize));
    const Numbering::Node& node = numbering_.nodes()[target];
    pending.add(name, node.nid, erofs::file_type_of(rewriter_.mode(node)));
  });
  pending.flush(at(placement.parts.tail > 0 ? tail_offset : block * kBlockSize));
}

}  // namespace intact::composefs
