#include <algorithm>

#include <intact/base/checked.h>
#include <intact/erofs/extent_map.h>

#include "damage.h"
#include "ranges.h"

namespace intact::erofs {
namespace {

constexpr std::size_t kWindowSize = 16 << 10;  // bytes; of chunk addresses

bool has_content(const Inode& inode) {
  const tree::Attributes& attributes = inode.attributes;
  return attributes.size != 0 &&
         (attributes.is_regular() || attributes.is_directory() || attributes.is_symlink());
}

}  // namespace

Result<ExtentMap> ExtentMap::open(const Image& image, const Inode& inode) {
  ExtentMap map(image, inode);
  map.metadata_end_ = inode.tail_offset;
  if (!has_content(inode)) return map;
  if (inode.layout == Layout::tail_packed)
    map.metadata_end_ += inode.attributes.size % kBlockSize;
  else if (inode.layout == Layout::chunked)
    TRY(map.open_chunked());
  else if (is_compressed(inode.layout))
    TRY(map.open_compressed());
  return map;
}

Result<void> ExtentMap::list(const Emit& emit) const {
  if (!has_content(inode_)) return {};
  if (inode_.layout == Layout::chunked) return list_chunks(emit);
  if (is_compressed(inode_.layout)) return list_clusters(emit);
  return list_plain(emit);
}

/// What follows the inode: `length` bytes at `begin`.
Result<void> ExtentMap::place_table(std::uint64_t begin, std::uint64_t length) {
  if (!fits(image_->superblock().size, begin, length))
    return bad_inode(inode_.nid, "the map of its content is beyond the end of the image");
  table_offset_ = begin;
  metadata_end_ = begin + length;
  return {};
}

Result<void> ExtentMap::list_plain(const Emit& emit) const {
  const std::uint64_t size = inode_.attributes.size;
  const std::uint64_t tail = inode_.layout == Layout::tail_packed ? size % kBlockSize : 0;
  if (size > tail)
    TRY(emit({.length = size - tail, .offset = inode_.data_offset, .stored_length = size - tail}));
  if (tail > 0)
    TRY(emit({.logical = size - tail,
              .length = tail,
              .offset = inode_.tail_offset,
              .stored_length = tail}));
  return {};
}

// --- chunks --------------------------------------------------------------------------------------

Result<void> ExtentMap::open_chunked() {
  const std::uint64_t entry = inode_.chunk_indexes ? sizeof(RawChunkIndex) : sizeof(le32);
  entries_ = divide_up(inode_.attributes.size, std::uint64_t{1} << inode_.chunk_bits);
  // Divided, so that the multiplication cannot wrap.
  if (entries_ > image_->superblock().size / entry)
    return bad_inode(inode_.nid, "more chunks than fit in the image");
  return place_table(align_up(inode_.tail_offset, entry), entries_ * entry);
}

Result<void> ExtentMap::list_chunks(const Emit& emit) const {
  const std::size_t entry = inode_.chunk_indexes ? sizeof(RawChunkIndex) : sizeof(le32);
  const std::uint64_t chunk_size = std::uint64_t{1} << inode_.chunk_bits;
  Bytes window;
  for (std::uint64_t i = 0; i < entries_; ++i) {
    const std::size_t in_window = static_cast<std::size_t>(i * entry % kWindowSize);
    if (in_window == 0) {
      window.resize(
          static_cast<std::size_t>(std::min<std::uint64_t>(kWindowSize, (entries_ - i) * entry)));
      TRY(image_->source().read(table_offset_ + i * entry, window));
    }
    RawChunkIndex raw{};
    if (inode_.chunk_indexes)
      raw = TRY(load<RawChunkIndex>(window, in_window));
    else
      raw.block = TRY(load<le32>(window, in_window));
    if (raw.device_id.get() != 0) return unsupported_inode(inode_.nid, "a chunk on another device");
    if (raw.block.get() == kNoBlock) continue;
    const std::uint64_t logical = i * chunk_size;
    const std::uint64_t length = std::min(chunk_size, inode_.attributes.size - logical);
    const std::uint64_t offset = std::uint64_t{raw.block.get()} * kBlockSize;
    if (!fits(image_->superblock().size, offset, length))
      return bad_inode(inode_.nid, "a chunk is beyond the end of the image");
    TRY(emit({.logical = logical, .length = length, .offset = offset, .stored_length = length}));
  }
  return {};
}

}  // namespace intact::erofs
