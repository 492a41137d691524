#include <algorithm>
#include <string>

#include <intact/base/checked.h>
#include <intact/erofs/image.h>
#include <intact/erofs/xattr.h>

#include "damage.h"

namespace intact::erofs {
namespace {

/// Bytes of all names and values of an inode. Shared attributes cost the image four bytes each,
/// however large they are.
constexpr std::size_t kMaxXattrs = 1 << 20;

struct ParsedEntry {
  std::string_view prefix;
  std::size_t suffix_length;
  std::size_t value_size;
  std::size_t stored_size() const { return suffix_length + value_size; }
};

Result<ParsedEntry> parse_entry(const RawXattrEntry& raw) {
  const auto prefix = xattr_prefix(raw.name_index);
  if (!prefix)
    return Error(
        ErrorKind::unsupported,
        fmt::format("EROFS image: extended attribute of unknown name index {}", raw.name_index));
  if (prefix->empty() && raw.suffix_length == 0)
    return Error(ErrorKind::malformed, "EROFS image: extended attribute without a name");
  return ParsedEntry{*prefix, raw.suffix_length, raw.value_size.get()};
}

Result<tree::Xattr> make_xattr(const ParsedEntry& entry, std::string_view stored) {
  tree::Xattr xattr;
  xattr.name.reserve(entry.prefix.size() + entry.suffix_length);
  xattr.name = entry.prefix;
  xattr.name += stored.substr(0, entry.suffix_length);
  xattr.value = stored.substr(entry.suffix_length, entry.value_size);
  if (xattr.name.find('\0') != std::string::npos)
    return Error(ErrorKind::malformed, "EROFS image: extended attribute with a NUL in its name");
  return xattr;
}

bool has_duplicates(const std::vector<tree::Xattr>& xattrs) {
  if (xattrs.size() < 2) return false;
  std::vector<std::string_view> names;
  names.reserve(xattrs.size());
  for (const tree::Xattr& xattr : xattrs) names.push_back(xattr.name);
  std::sort(names.begin(), names.end());
  return std::adjacent_find(names.begin(), names.end()) != names.end();
}

}  // namespace

Result<void> Image::read_shared_xattr(std::uint32_t id, std::vector<tree::Xattr>& out) const {
  const auto beyond = [] {
    return Error(ErrorKind::malformed,
                 "EROFS image: a shared extended attribute is beyond its end");
  };
  std::uint64_t offset = superblock_.xattr_offset + std::uint64_t{id} * 4;
  if (offset > superblock_.size || superblock_.size - offset < sizeof(RawXattrEntry))
    return beyond();
  RawXattrEntry raw;
  TRY(source_->read(offset, std::as_writable_bytes(std::span(&raw, 1))));
  const ParsedEntry entry = TRY(parse_entry(raw));
  offset += sizeof(RawXattrEntry);
  if (superblock_.size - offset < entry.stored_size()) return beyond();
  std::string stored(entry.stored_size(), '\0');
  TRY(source_->read(offset, std::as_writable_bytes(std::span(stored))));
  out.push_back(TRY(make_xattr(entry, stored)));
  return {};
}

Result<std::vector<tree::Xattr>> Image::xattrs(const Inode& inode) const {
  std::vector<tree::Xattr> found;
  if (inode.xattr_size == 0) return found;
  std::size_t left = kMaxXattrs;
  const auto take = [&](const tree::Xattr& xattr) -> Result<void> {
    const std::size_t size = xattr.name.size() + xattr.value.size();
    if (size > left)
      return Error(
          ErrorKind::limit,
          fmt::format("EROFS image, inode {}: its extended attributes take more than {} bytes",
                      inode.nid, kMaxXattrs));
    left -= size;
    return {};
  };
  Bytes area(inode.xattr_size);
  TRY(source_->read(inode.xattr_offset, area));
  const auto header = TRY(load<RawXattrHeader>(area, 0));

  const std::size_t ids_size = std::size_t{header.shared_count} * sizeof(le32);
  if (ids_size > area.size() - sizeof header)
    return bad_inode(inode.nid, "more shared extended attributes than fit in its area");
  const ByteSpan ids = ByteSpan(area).subspan(sizeof header, ids_size);
  ByteSpan entries = ByteSpan(area).subspan(sizeof header + ids_size);

  while (!entries.empty()) {
    const auto raw = TRY(load<RawXattrEntry>(entries, 0));
    const ParsedEntry entry = TRY(parse_entry(raw));
    const std::size_t size = align_up(sizeof(RawXattrEntry) + entry.stored_size(), std::size_t{4});
    if (size > entries.size())
      return bad_inode(inode.nid, "an extended attribute extends beyond its area");
    found.push_back(TRY(make_xattr(entry, as_text(entries).substr(sizeof(RawXattrEntry)))));
    TRY(take(found.back()));
    entries = entries.subspan(size);
  }
  for (std::size_t i = 0; i < header.shared_count; ++i) {
    const auto id = TRY(load<le32>(ids, i * sizeof(le32)));
    TRY(read_shared_xattr(id.get(), found));
    TRY(take(found.back()));
  }
  if (has_duplicates(found))
    return bad_inode(inode.nid, "two extended attributes with the same name");
  return found;
}

}  // namespace intact::erofs
