#include "directory_block.h"

#include <cstring>

namespace intact::erofs {
namespace {

Error bad(std::string_view what) {
  return Error(ErrorKind::malformed, std::string(what));
}

}  // namespace

RawDirent DirectoryBlock::raw(std::size_t index) const {
  RawDirent dirent;
  std::memcpy(&dirent, bytes_.data() + index * sizeof dirent, sizeof dirent);
  return dirent;
}

std::string_view DirectoryBlock::name(std::size_t index) const {
  const std::size_t begin = raw(index).name_offset.get();
  const std::size_t end = index + 1 < count_ ? raw(index + 1).name_offset.get() : end_;
  return as_text(bytes_.subspan(begin, end - begin));
}

Dirent DirectoryBlock::entry(std::size_t index) const {
  const RawDirent dirent = raw(index);
  return {name(index), dirent.nid.get(), static_cast<FileType>(dirent.file_type)};
}

Result<DirectoryBlock> DirectoryBlock::parse(ByteSpan bytes) {
  const RawDirent first = TRY(load<RawDirent>(bytes, 0));
  const std::size_t names = first.name_offset.get();
  if (names == 0 || names % sizeof(RawDirent) != 0 || names >= bytes.size())
    return bad("impossible number of entries");
  const std::size_t count = names / sizeof(RawDirent);

  // The offsets of all names first: only then do names have an end.
  std::size_t last = names;
  for (std::size_t i = 1; i < count; ++i) {
    const std::size_t next = TRY(load<RawDirent>(bytes, i * sizeof(RawDirent))).name_offset.get();
    if (next <= last || next >= bytes.size()) return bad("overlapping names");
    last = next;
  }
  const std::string_view rest = as_text(bytes.subspan(last));
  const DirectoryBlock block(bytes, count, last + std::min(rest.find('\0'), rest.size()));

  std::string_view previous;
  for (std::size_t i = 0; i < count; ++i) {
    const Dirent entry = block.entry(i);
    if (entry.name.empty() || entry.name.size() > kNameMax) return bad("name of impossible length");
    if (entry.name.find('/') != std::string_view::npos) return bad("name with a slash");
    if (entry.name.find('\0') != std::string_view::npos) return bad("name with a NUL");
    if (entry.name <= previous) return bad("names out of order");
    if (mode_type_of(entry.type) == 0) return bad("entry of unknown file type");
    previous = entry.name;
  }
  return block;
}

std::size_t DirectoryBlock::lower_bound(std::string_view wanted) const {
  std::size_t low = 0;
  std::size_t high = count_;
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (name(middle) < wanted)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

}  // namespace intact::erofs
