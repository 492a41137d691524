#include <algorithm>
#include <array>

#include <intact/base/checked.h>
#include <intact/erofs/image.h>
#include <intact/erofs/xattr.h>

#include "damage.h"
#include "ranges.h"

namespace intact::erofs {
namespace {

constexpr std::uint32_t kNanosecondsEnd = 1'000'000'000;

Error bad_superblock(std::string_view what) {
  return Error(ErrorKind::malformed, fmt::format("EROFS superblock: {}", what));
}

Error unsupported(std::string_view what) {
  return Error(ErrorKind::unsupported, fmt::format("EROFS superblock: {}", what));
}

Result<Superblock> parse_superblock(const RawSuperblock& raw, std::uint64_t source_size,
                                    Accept accept) {
  if (raw.magic.get() != kMagic) return bad_superblock("not an EROFS image (wrong magic number)");
  const std::uint32_t features = raw.feature_incompat.get();
  const std::uint32_t known =
      accept == Accept::mappable ? kIncompatMappable : std::uint32_t{kIncompatChunkedFile};
  if (const std::uint32_t unknown = features & ~known)
    return unsupported(fmt::format("incompatible features {:#x}", unknown));
  if (raw.block_bits != kBlockBits)
    return unsupported(fmt::format("block size 2^{}, want 4096 bytes", raw.block_bits));
  if (raw.dir_block_bits != 0) return unsupported("directory blocks larger than blocks");
  if (raw.ext_slots != 0) return unsupported("extended superblock");
  if (raw.extra_devices.get() != 0) return unsupported("data on additional devices");

  Superblock super;
  super.root_nid = raw.root_nid.get();
  super.inodes = raw.inos.get();
  super.build_time = {static_cast<std::int64_t>(raw.build_time.get()), raw.build_time_nsec.get()};
  if (super.build_time.nanoseconds >= kNanosecondsEnd)
    return bad_superblock("nanoseconds of the build time out of range");
  super.size = std::uint64_t{raw.blocks.get()} * kBlockSize;
  if (super.size > source_size)
    return bad_superblock(
        fmt::format("the image is truncated: {} of {} bytes", source_size, super.size));
  super.meta_offset = std::uint64_t{raw.meta_blkaddr.get()} * kBlockSize;
  super.xattr_offset = std::uint64_t{raw.xattr_blkaddr.get()} * kBlockSize;
  if (super.meta_offset >= super.size || super.xattr_offset >= super.size)
    return bad_superblock("metadata is beyond the end of the image");
  if ((features & kIncompatFragments) != 0) super.packed_nid = raw.packed_nid.get();
  return super;
}

/// Checks where the data of a file with whole blocks (and a tail) is.
Result<void> check_blocks(const Inode& inode, std::uint64_t image_size) {
  const std::uint64_t size = inode.attributes.size;
  if (inode.layout == Layout::plain) {
    if (size != 0 && !fits(image_size, inode.data_offset, size))
      return bad_inode(inode.nid, "its data is beyond the end of the image");
    return {};
  }
  const std::uint64_t tail = size % kBlockSize;
  if (size != 0 && tail == 0) return bad_inode(inode.nid, "tail-packed without a tail");
  if (size != tail && !fits(image_size, inode.data_offset, size - tail))
    return bad_inode(inode.nid, "its data is beyond the end of the image");
  if (!fits(image_size, inode.tail_offset, tail))
    return bad_inode(inode.nid, "its tail is beyond the end of the image");
  if (inode.tail_offset % kBlockSize + tail > kBlockSize)
    return bad_inode(inode.nid, "its tail crosses a block boundary");
  return {};
}

Result<void> check_layout(Inode& inode, std::uint32_t u, std::uint64_t image_size, Accept accept) {
  const bool has_data = inode.attributes.is_regular() || inode.attributes.is_directory() ||
                        inode.attributes.is_symlink();
  if (inode.layout == Layout::chunked) {
    if (!inode.attributes.is_regular())
      return bad_inode(inode.nid, "chunks in a file that is not regular");
    const std::uint32_t known =
        accept == Accept::mappable ? kChunkBitsMask | kChunkIndexes : kChunkBitsMask;
    if ((u & 0xFFFF & ~known) != 0) return unsupported_inode(inode.nid, "unknown kind of chunks");
    inode.chunk_bits = kBlockBits + (u & kChunkBitsMask);
    inode.chunk_indexes = (u & kChunkIndexes) != 0;
    return {};
  }
  if (!has_data || is_compressed(inode.layout)) return {};
  inode.data_offset = std::uint64_t{u} * kBlockSize;
  return check_blocks(inode, image_size);
}

/// What only the long form has, or has wider.
Result<void> take_extended(ByteSpan bytes, std::uint64_t nid, tree::Attributes& attributes) {
  const auto extended = TRY(load<RawInodeExtended>(bytes, 0));
  attributes.nlink = extended.nlink.get();
  attributes.uid = extended.uid.get();
  attributes.gid = extended.gid.get();
  attributes.size = extended.size.get();
  attributes.mtime = {static_cast<std::int64_t>(extended.mtime.get()), extended.mtime_nsec.get()};
  if (attributes.mtime.nanoseconds >= kNanosecondsEnd)
    return bad_inode(nid, "nanoseconds of its time out of range");
  return {};
}

}  // namespace

Result<std::unique_ptr<Image>> Image::open(std::shared_ptr<const ByteSource> source,
                                           Accept accept) {
  const std::uint64_t size = source->size();
  if (size < kSuperblockOffset + sizeof(RawSuperblock))
    return Error(ErrorKind::malformed, "too short for an EROFS image");
  RawSuperblock raw;
  TRY(source->read(kSuperblockOffset, std::as_writable_bytes(std::span(&raw, 1))));
  const Superblock super = TRY(parse_superblock(raw, size, accept));
  return std::unique_ptr<Image>(new Image(std::move(source), super, accept));
}

Result<Inode> Image::inode(std::uint64_t nid) const {
  const auto distance = checked_multiply<std::uint64_t>(nid, kSlotSize);
  const auto offset = distance ? checked_add(*distance, superblock_.meta_offset) : std::nullopt;
  if (!offset || !fits(superblock_.size, *offset, sizeof(RawInodeCompact)))
    return bad_inode(nid, "is beyond the end of the image");

  // Both forms in one read, but no byte of the next block for the short one: it may be damaged.
  std::array<std::byte, sizeof(RawInodeExtended)> buffer;
  const auto bytes = MutableByteSpan(buffer);
  const auto in_block = static_cast<std::size_t>(
      std::min<std::uint64_t>(sizeof buffer, kBlockSize - *offset % kBlockSize));
  TRY(source_->read(*offset, bytes.first(in_block)));
  const auto compact = TRY(load<RawInodeCompact>(bytes, 0));

  Inode inode;
  inode.nid = nid;
  inode.ino = compact.ino.get();
  tree::Attributes& attributes = inode.attributes;
  const std::uint16_t format = compact.format.get();
  if ((format & ~kFormatKnownBits) != 0) return unsupported_inode(nid, "unknown inode format");
  inode.layout = static_cast<Layout>(format >> kFormatLayoutShift);
  if (inode.layout > Layout::chunked) return unsupported_inode(nid, "unknown data layout");
  if (is_compressed(inode.layout) && accept_ != Accept::mappable)
    return unsupported_inode(nid, "compressed data");
  attributes.mode = compact.mode.get();
  if (file_type_of(attributes.mode) == FileType::unknown)
    return bad_inode(nid, fmt::format("impossible file type (mode {:o})", attributes.mode));

  std::uint64_t end = *offset;
  if ((format & kFormatExtended) == 0) {
    end += sizeof(RawInodeCompact);
    attributes.nlink = compact.nlink.get();
    attributes.uid = compact.uid.get();
    attributes.gid = compact.gid.get();
    attributes.size = compact.size.get();
    attributes.mtime = superblock_.build_time;
  } else {
    end += sizeof(RawInodeExtended);
    if (!fits(superblock_.size, *offset, sizeof(RawInodeExtended)))
      return bad_inode(nid, "is beyond the end of the image");
    if (in_block < bytes.size()) TRY(source_->read(*offset + in_block, bytes.subspan(in_block)));
    TRY(take_extended(bytes, nid, attributes));
  }
  const std::uint32_t u = compact.u.get();  // at the same place in both forms
  static_assert(offsetof(RawInodeCompact, u) == offsetof(RawInodeExtended, u));
  if (attributes.is_device()) attributes.rdev = u;

  inode.xattr_offset = end;
  inode.xattr_size = static_cast<std::uint32_t>(xattr_area_size(compact.xattr_icount.get()));
  if (!fits(superblock_.size, end, inode.xattr_size))
    return bad_inode(nid, "its extended attributes are beyond the end of the image");
  inode.tail_offset = end + inode.xattr_size;
  TRY(check_layout(inode, u, superblock_.size, accept_));
  return inode;
}

}  // namespace intact::erofs
