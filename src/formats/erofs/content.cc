#include <algorithm>

#include <intact/erofs/image.h>

#include "damage.h"

namespace intact::erofs {

Result<void> Image::read(const Inode& inode, std::uint64_t offset, MutableByteSpan out) const {
  if (inode.layout == Layout::chunked)
    return unsupported_inode(inode.nid, "its content is not in the image");
  if (is_compressed(inode.layout)) return unsupported_inode(inode.nid, "compressed data");
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
    return Error(ErrorKind::invalid_argument,
                 fmt::format("inode {} is not a symlink", symlink.nid));
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

}  // namespace intact::erofs
