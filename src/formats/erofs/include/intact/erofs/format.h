#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <intact/base/endian.h>

/// The part of the EROFS on-disk format that metadata images use: uncompressed, 4 KiB blocks, one
/// device. Source: fs/erofs/erofs_fs.h of Linux and the EROFS core on-disk format document.
///
/// An image is
///
///     0      reserved for the boot sector (composefs keeps its own 32-byte header here)
///     1024   superblock, 128 bytes
///     1152   inodes, each at a multiple of 32 bytes ("slot")
///     ...    shared extended attributes
///     ...    data blocks of 4096 bytes
///
/// An inode is named by its nid: its slot, counted from block `meta_blkaddr`. It is followed by its
/// extended attributes and, in the tail-packed layout, by the last partial block of its data; that
/// tail never crosses a block boundary.
///
/// Directory data is a sequence of blocks, each complete in itself: n directory entries, then the n
/// names without terminators. The first name begins where the entries end, which tells n; a name
/// ends where the next one begins, the last one at the end of the block or at its first NUL. Names
/// ascend in byte order within a block and from block to block; "." and ".." are sorted in like any
/// other.
///
/// The extended attributes of an inode are a 12-byte header, `shared_count` 32-bit ids of shared
/// ones, then entries. An id times 4 is the byte offset of an entry from block `xattr_blkaddr`. An
/// entry is 4 bytes, the name without the prefix that `name_index` stands for, the value, and zeros
/// up to a multiple of 4.
namespace intact::erofs {

constexpr std::uint32_t kBlockBits = 12;
constexpr std::uint32_t kBlockSize = 1u << kBlockBits;  ///< bytes
constexpr std::uint32_t kSlotSize = 32;                 ///< bytes; nids count these
constexpr std::uint64_t kSuperblockOffset = 1024;       ///< bytes
constexpr std::uint32_t kMagic = 0xE0F5E1E2;
constexpr std::size_t kNameMax = 255;      ///< bytes in a file name
constexpr std::size_t kSymlinkMax = 4095;  ///< bytes in a target (PATH_MAX with its NUL is 4096)
constexpr std::uint32_t kNoBlock = 0xFFFFFFFF;  ///< chunk address of a hole

enum FeatureCompat : std::uint32_t {
  kCompatMtime = 2,        ///< times are modification times
  kCompatXattrFilter = 4,  ///< xattr headers hold a name filter
};
enum FeatureIncompat : std::uint32_t {
  kIncompatChunkedFile = 4,  ///< chunk-based inodes occur (composefs has them without this bit)
};

struct RawSuperblock {
  le32 magic;
  le32 checksum;  ///< crc32c, only with feature_compat bit 0; not used here
  le32 feature_compat;
  std::uint8_t block_bits = 0;  ///< log2 of the block size
  std::uint8_t ext_slots = 0;   ///< 16-byte extension slots of the superblock
  le16 root_nid;                ///< slots
  le64 inos;                    ///< number of inodes
  le64 build_time;              ///< mtime of compact inodes: seconds (signed)
  le32 build_time_nsec;         ///< and nanoseconds
  le32 blocks;                  ///< size of the image, in blocks
  le32 meta_blkaddr;            ///< block that nids count from
  le32 xattr_blkaddr;           ///< block that shared xattr ids count from
  std::array<std::byte, 16> uuid{};
  std::array<std::byte, 16> volume_name{};
  le32 feature_incompat;
  le16 compression;  ///< algorithms or distance; 0 here
  le16 extra_devices;
  le16 device_table_slot;
  std::uint8_t dir_block_bits = 0;  ///< directory block size is block size << this; 0
  std::uint8_t xattr_prefix_count = 0;
  le32 xattr_prefix_start;
  le64 packed_nid;
  std::uint8_t xattr_filter_reserved = 0;
  std::array<std::byte, 23> reserved{};
};
static_assert(sizeof(RawSuperblock) == 128 && alignof(RawSuperblock) == 1);
static_assert(offsetof(RawSuperblock, block_bits) == 12);
static_assert(offsetof(RawSuperblock, root_nid) == 14);
static_assert(offsetof(RawSuperblock, inos) == 16);
static_assert(offsetof(RawSuperblock, build_time) == 24);
static_assert(offsetof(RawSuperblock, build_time_nsec) == 32);
static_assert(offsetof(RawSuperblock, blocks) == 36);
static_assert(offsetof(RawSuperblock, meta_blkaddr) == 40);
static_assert(offsetof(RawSuperblock, xattr_blkaddr) == 44);
static_assert(offsetof(RawSuperblock, uuid) == 48);
static_assert(offsetof(RawSuperblock, feature_incompat) == 80);
static_assert(offsetof(RawSuperblock, extra_devices) == 86);
static_assert(offsetof(RawSuperblock, packed_nid) == 96);
static_assert(std::has_unique_object_representations_v<RawSuperblock>);

/// Where the data of an inode lies: bits 1 to 3 of `format`.
enum class Layout : std::uint8_t {
  plain = 0,            ///< whole blocks from block `u` on
  compressed_full = 1,  ///< refused
  tail_packed = 2,      ///< whole blocks from block `u` on, the rest behind the xattrs
  compressed = 3,       ///< refused
  chunked = 4,          ///< 32-bit block addresses of chunks behind the xattrs
};
constexpr std::uint16_t kFormatExtended = 1;  ///< bit 0 of `format`: 64 bytes, not 32
constexpr unsigned kFormatLayoutShift = 1;
constexpr std::uint16_t kFormatKnownBits = 0xF;

/// Low 5 bits of `u` of a chunk-based inode: log2 of the chunk size, less kBlockBits.
constexpr std::uint32_t kChunkBitsMask = 31;
constexpr std::uint32_t kChunkBitsMax = kBlockBits + kChunkBitsMask;

struct RawInodeCompact {
  le16 format;
  le16 xattr_icount;  ///< 0: no xattrs; else their size is 12 + 4 * (icount - 1) bytes
  le16 mode;          ///< st_mode
  le16 nlink;
  le32 size;  ///< bytes
  le32 reserved_12;
  le32 u;    ///< first block, device number (as makedev(3) packs it into 32 bits), or chunk format
  le32 ino;  ///< number for stat(2) on 32-bit machines
  le16 uid;
  le16 gid;
  le32 reserved_28;
};
static_assert(sizeof(RawInodeCompact) == 32 && alignof(RawInodeCompact) == 1);
static_assert(offsetof(RawInodeCompact, size) == 8);
static_assert(offsetof(RawInodeCompact, u) == 16);
static_assert(offsetof(RawInodeCompact, uid) == 24);
static_assert(std::has_unique_object_representations_v<RawInodeCompact>);

struct RawInodeExtended {
  le16 format;
  le16 xattr_icount;
  le16 mode;
  le16 reserved_6;
  le64 size;  ///< bytes
  le32 u;
  le32 ino;
  le32 uid;
  le32 gid;
  le64 mtime;  ///< seconds (signed)
  le32 mtime_nsec;
  le32 nlink;
  std::array<std::byte, 16> reserved_48{};
};
static_assert(sizeof(RawInodeExtended) == 64 && alignof(RawInodeExtended) == 1);
static_assert(offsetof(RawInodeExtended, size) == 8);
static_assert(offsetof(RawInodeExtended, u) == 16);
static_assert(offsetof(RawInodeExtended, uid) == 24);
static_assert(offsetof(RawInodeExtended, mtime) == 32);
static_assert(offsetof(RawInodeExtended, nlink) == 44);
static_assert(std::has_unique_object_representations_v<RawInodeExtended>);

/// Values of RawDirent::file_type.
enum class FileType : std::uint8_t {
  unknown = 0,
  regular = 1,
  directory = 2,
  character_device = 3,
  block_device = 4,
  fifo = 5,
  socket = 6,
  symlink = 7,
};

/// Of the S_IFMT bits of a mode; unknown for anything else.
FileType file_type_of(std::uint32_t mode);
/// S_IFMT bits; 0 for unknown and values that do not exist.
std::uint32_t mode_type_of(FileType type);

struct RawDirent {
  le64 nid;
  le16 name_offset;  ///< bytes from the start of the block
  std::uint8_t file_type = 0;
  std::uint8_t reserved = 0;
};
static_assert(sizeof(RawDirent) == 12 && alignof(RawDirent) == 1);
static_assert(offsetof(RawDirent, name_offset) == 8);
static_assert(std::has_unique_object_representations_v<RawDirent>);

struct RawXattrHeader {
  le32 name_filter;  ///< a bit is 0 if some name hashes to it
  std::uint8_t shared_count = 0;
  std::array<std::byte, 7> reserved{};
};
static_assert(sizeof(RawXattrHeader) == 12 && alignof(RawXattrHeader) == 1);
static_assert(std::has_unique_object_representations_v<RawXattrHeader>);

struct RawXattrEntry {
  std::uint8_t suffix_length = 0;  ///< bytes of the name without its prefix
  std::uint8_t name_index = 0;
  le16 value_size;  ///< bytes
};
static_assert(sizeof(RawXattrEntry) == 4 && alignof(RawXattrEntry) == 1);
static_assert(std::has_unique_object_representations_v<RawXattrEntry>);

}  // namespace intact::erofs
