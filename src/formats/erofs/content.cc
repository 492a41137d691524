#include <algorithm>
#include <array>
#include <cstring>

#include <intact/base/checked.h>
#include <intact/erofs/image.h>

#include "damage.h"

namespace intact::erofs {

Result<void> Image::read(const Inode& inode, std::uint64_t offset, MutableByteSpan out) const {
  if (inode.layout == Layout::chunked)
    return unsupported_inode(inode.nid, "its content is not in the image");
  const std::uint64_t size = inode.attributes.size;
  if (offset > size || out.size() > size - offset)
    return Error(ErrorKind::invalid_argument,
                 fmt::format("read beyond the end of inode {}", inode.nid));
  const std::uint64_t in_blocks =
      inode.layout == Layout::tail_packed ? size - size % kBlockSize : size;
  if (offset < in_blocks) {
    const auto first = out.first(
        static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), in_blocks - offset)));
    TRY(source_->read(inode.data_offset + offset, first));
    out = out.subspan(first.size());
    offset += first.size();
  }
  if (!out.empty()) TRY(source_->read(inode.tail_offset + (offset - in_blocks), out));
  return {};
}

Result<std::string> Image::read_link(const Inode& symlink) const {
  if (!symlink.attributes.is_symlink())
    return Error(ErrorKind::invalid_argument, fmt::format("inode {} is no symlink", symlink.nid));
  if (symlink.layout == Layout::chunked || symlink.attributes.size == 0 ||
      symlink.attributes.size > kSymlinkMax)
    return bad_inode(symlink.nid, fmt::format("symlink target of {} bytes, want 1 to {}",
                                              symlink.attributes.size, kSymlinkMax));
  std::string target(static_cast<std::size_t>(symlink.attributes.size), '\0');
  TRY(read(symlink, 0, std::as_writable_bytes(std::span(target))));
  if (target.find('\0') != std::string::npos)
    return bad_inode(symlink.nid, "NUL in a symlink target");
  return target;
}

Result<bool> Image::is_hole(const Inode& inode) const {
  if (inode.layout != Layout::chunked)
    return Error(ErrorKind::invalid_argument,
                 fmt::format("inode {} is not chunk-based", inode.nid));
  const std::uint64_t size = inode.attributes.size;
  const std::uint64_t chunks = divide_up(size, std::uint64_t{1} << inode.chunk_bits);
  // The kernel reads the table from the next multiple of the entry size on.
  std::uint64_t offset = align_up<std::uint64_t>(inode.tail_offset, sizeof(le32));
  if (offset > superblock_.size || chunks > (superblock_.size - offset) / sizeof(le32))
    return bad_inode(inode.nid, "its table of chunks lies beyond the end of the image");
  std::array<le32, 256> buffer;
  for (std::uint64_t left = chunks; left > 0;) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer.size()));
    const auto part = std::span(buffer).first(count);
    TRY(source_->read(offset, std::as_writable_bytes(part)));
    const bool holes = std::all_of(part.begin(), part.end(),
                                   [](const le32& block) { return block.get() == kNoBlock; });
    if (!holes) return false;
    left -= count;
    offset += count * sizeof(le32);
  }
  return true;
}

}  // namespace intact::erofs
