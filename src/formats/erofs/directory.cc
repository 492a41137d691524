#include <algorithm>
#include <array>
#include <string>

#include <intact/base/checked.h>
#include <intact/erofs/image.h>

#include "damage.h"
#include "directory_block.h"

namespace intact::erofs {
namespace {

using BlockBuffer = std::array<std::byte, kBlockSize>;

std::uint64_t block_count(const Inode& directory) {
  return divide_up<std::uint64_t>(directory.attributes.size, kBlockSize);
}

Result<void> require_directory(const Inode& inode) {
  if (inode.is_directory()) return {};
  return Error(ErrorKind::invalid_argument, fmt::format("inode {} is not a directory", inode.nid));
}

Result<DirectoryBlock> parse_block(const Inode& directory, std::uint64_t block, ByteSpan bytes) {
  auto parsed = DirectoryBlock::parse(bytes);
  if (parsed) return parsed;
  return bad_inode(directory.nid,
                   fmt::format("directory block {}: {}", block, parsed.error().message()));
}

}  // namespace

Result<ByteSpan> Image::directory_block(const Inode& directory, std::uint64_t block,
                                        MutableByteSpan buffer) const {
  const std::uint64_t offset = block * kBlockSize;
  const auto length = static_cast<std::size_t>(
      std::min<std::uint64_t>(kBlockSize, directory.attributes.size - offset));
  TRY(read(directory, offset, buffer.first(length)));
  return ByteSpan(buffer.first(length));
}

// A cookie is the byte position in the directory's data of the entry that comes next, as in the
// kernel: resuming costs nothing however large the directory is.
Result<void> Image::list(const Inode& directory, std::uint64_t cookie, const Emit& emit) const {
  TRY(require_directory(directory));
  BlockBuffer buffer;
  std::string last_of_block;
  std::size_t index = static_cast<std::size_t>(cookie % kBlockSize) / sizeof(RawDirent);
  for (std::uint64_t at = cookie / kBlockSize; at < block_count(directory); ++at, index = 0) {
    const ByteSpan bytes = TRY(directory_block(directory, at, buffer));
    const DirectoryBlock block = TRY(parse_block(directory, at, bytes));
    if (!last_of_block.empty() && block.name(0) <= last_of_block)
      return bad_inode(directory.nid, fmt::format("directory block {}: names out of order", at));
    for (; index < block.count(); ++index) {
      const bool last = index + 1 == block.count();
      const std::uint64_t next =
          last ? (at + 1) * kBlockSize : at * kBlockSize + (index + 1) * sizeof(RawDirent);
      if (!TRY(emit(block.entry(index), next))) return {};
    }
    last_of_block = block.name(block.count() - 1);
  }
  return {};
}

Result<std::optional<Image::Found>> Image::lookup(const Inode& directory,
                                                  std::string_view name) const {
  TRY(require_directory(directory));
  BlockBuffer buffer;
  std::uint64_t low = 0;
  std::uint64_t high = block_count(directory);
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    const ByteSpan bytes = TRY(directory_block(directory, middle, buffer));
    const DirectoryBlock block = TRY(parse_block(directory, middle, bytes));
    const std::size_t index = block.lower_bound(name);
    if (index == block.count()) {
      low = middle + 1;
    } else if (const Dirent entry = block.entry(index); entry.name == name) {
      return Found{entry.nid, entry.type};
    } else if (index == 0) {
      high = middle;
    } else {
      break;
    }
  }
  return std::nullopt;
}

}  // namespace intact::erofs
