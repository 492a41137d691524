#pragma once

#include <cstring>
#include <memory>
#include <string_view>

#include <intact/base/stream.h>
#include <intact/erofs/format.h>
#include <intact/erofs/image.h>
#include <intact/erofs/xattr.h>

namespace intact::erofs::test {

constexpr std::uint64_t kRoot = 36;           ///< /: compact, tail-packed
constexpr std::uint64_t kDirectory = 44;      ///< /dir: compact, in a block of its own
constexpr std::uint64_t kFile = 46;           ///< /file: extended, tail-packed, with attributes
constexpr std::uint64_t kSymlink = 52;        ///< /link: compact, tail-packed
constexpr std::uint64_t kSharedXattr = 2048;  ///< byte of the only shared attribute

/// An image of two blocks, put together by hand so that tests know each byte of it.
struct TestImage {
  Bytes bytes = Bytes(2 * kBlockSize);

  TestImage() {
    RawSuperblock super;
    super.magic = kMagic;
    super.feature_compat = kCompatMtime | kCompatXattrFilter;
    super.block_bits = kBlockBits;
    super.root_nid = kRoot;
    super.inos = 4;
    super.blocks = 2;
    store(kSuperblockOffset, super);

    std::uint64_t at = add_inode(kRoot, Layout::tail_packed, 0040755, 0);
    set_size(kRoot, add_dirents(at, {{".", kRoot, FileType::directory},
                                     {"..", kRoot, FileType::directory},
                                     {"dir", kDirectory, FileType::directory},
                                     {"file", kFile, FileType::regular},
                                     {"link", kSymlink, FileType::symlink}}));
    add_inode(kDirectory, Layout::plain, 0040700, 1);
    add_dirents(kBlockSize,
                {{".", kDirectory, FileType::directory}, {"..", kRoot, FileType::directory}});
    set_size(kDirectory, kBlockSize);

    add_file();
    at = add_inode(kSymlink, Layout::tail_packed, 0120777, 0);
    std::memcpy(bytes.data() + at, "target", 6);
    set_size(kSymlink, 6);
    encode_xattr_entry("security.shared", "2", MutableByteSpan(bytes).subspan(kSharedXattr));
  }

  Result<std::unique_ptr<Image>> open() const {
    return Image::open(std::make_shared<MemorySource>(bytes));
  }

 private:
  struct Entry {
    std::string_view name;
    std::uint64_t nid;
    FileType type;
  };

  template <typename Raw>
  void store(std::uint64_t offset, const Raw& raw) {
    std::memcpy(bytes.data() + offset, &raw, sizeof raw);
  }

  /// Returns where the tail goes.
  std::uint64_t add_inode(std::uint64_t nid, Layout layout, std::uint16_t mode, std::uint32_t u) {
    RawInodeCompact raw;
    raw.format = static_cast<std::uint16_t>(static_cast<unsigned>(layout) << kFormatLayoutShift);
    raw.mode = mode;
    raw.nlink = 1;
    raw.u = u;
    store(nid * kSlotSize, raw);
    return nid * kSlotSize + sizeof raw;
  }

  void set_size(std::uint64_t nid, std::uint64_t size) {
    store(nid * kSlotSize + offsetof(RawInodeCompact, size),
          le32(static_cast<std::uint32_t>(size)));
  }

  std::uint64_t add_dirents(std::uint64_t at, std::initializer_list<Entry> entries) {
    std::uint64_t offset = entries.size() * sizeof(RawDirent);
    std::uint64_t i = 0;
    for (const Entry& entry : entries) {
      RawDirent raw;
      raw.nid = entry.nid;
      raw.name_offset = static_cast<std::uint16_t>(offset);
      raw.file_type = static_cast<std::uint8_t>(entry.type);
      store(at + i++ * sizeof raw, raw);
      std::memcpy(bytes.data() + at + offset, entry.name.data(), entry.name.size());
      offset += entry.name.size();
    }
    return offset;
  }

  void add_file() {
    RawInodeExtended raw;
    raw.format = static_cast<std::uint16_t>(
        kFormatExtended | static_cast<unsigned>(Layout::tail_packed) << kFormatLayoutShift);
    const std::size_t area = sizeof(RawXattrHeader) + sizeof(le32) + 8;
    raw.xattr_icount = static_cast<std::uint16_t>(xattr_icount(area));
    raw.mode = 0100644;
    raw.size = 5;
    raw.uid = 70000;
    raw.nlink = 1;
    raw.mtime = 77;
    std::uint64_t at = kFile * kSlotSize;
    store(at, raw);
    at += sizeof raw;
    RawXattrHeader header;
    header.shared_count = 1;
    store(at, header);
    store(at + sizeof header, le32(kSharedXattr / 4));
    encode_xattr_entry("user.own", "1", MutableByteSpan(bytes).subspan(at + sizeof header + 4));
    std::memcpy(bytes.data() + at + area, "hello", 5);
  }
};

}  // namespace intact::erofs::test
