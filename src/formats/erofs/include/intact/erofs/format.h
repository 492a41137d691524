#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <intact/base/endian.h>

/// The EROFS on-disk format, as far as we know it: 4 KiB blocks, one device. Metadata images
/// (composefs) are uncompressed; of compressed files we know where their content is, but not how
/// to decompress it. Source: fs/erofs/erofs_fs.h of Linux and the EROFS core on-disk format
/// document.
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
/// entry is 4 bytes, the name without the prefix that `name_index` denotes, the value, and zeros
/// up to a multiple of 4.
///
/// The content of a compressed file is cut into extents. Each is stored in a physical cluster: one
/// block or, where "big" ones are allowed, several. Behind the extended attributes, at a multiple
/// of 8 bytes, come a map header and the index: an entry for each logical cluster, that is for each
/// 4096 bytes of content. In a head entry an extent begins, at a byte of the logical cluster that
/// the entry says; the others ("nonhead") are wholly of the extent before. An extent ends where the
/// next one begins or the file ends; a head at or after the end of the file only marks it. The
/// first nonhead entry after the head of a big cluster tells how many blocks it has.
///
/// The full index has 8 bytes for an entry. The compact index packs 2 entries into 8 bytes or, from
/// the first multiple of 32 bytes on and where the file has that many, 16 entries into 32 bytes:
/// each 12 bits of value and 2 bits of type (16 or 14 bits apart, lowest bit first), and at the end
/// of the pack the 32-bit block that the blocks of its heads count from.
///
/// The last extent may be elsewhere: right after the index, uncrossed by a block boundary
/// ("inline"), or within the uncompressed content of the packed inode, which many files share (a
/// "fragment").
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
  kIncompatZeroPadding = 1,    ///< compressed data is at the end of its cluster
  kIncompatCompression = 2,    ///< compression is configured; big clusters occur
  kIncompatChunkedFile = 4,    ///< chunk-based inodes occur (composefs has them without this bit)
  kIncompatSecondHead = 8,     ///< a second algorithm, or data on additional devices
  kIncompatInline = 16,        ///< last extents may follow the index
  kIncompatFragments = 32,     ///< ... or in the packed inode; files may share clusters
  kIncompatXattrPrefixes = 64  ///< xattr names may have prefixes of the image's own
};
/// Features with which ExtentMap can locate the content of files.
constexpr std::uint32_t kIncompatMappable =
    kIncompatZeroPadding | kIncompatCompression | kIncompatChunkedFile | kIncompatSecondHead |
    kIncompatInline | kIncompatFragments | kIncompatXattrPrefixes;

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
  le64 packed_nid;  ///< of the inode that fragments lie in; 0: none
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

/// Where the data of an inode is: bits 1 to 3 of `format`.
enum class Layout : std::uint8_t {
  plain = 0,            ///< whole blocks from block `u` on
  compressed_full = 1,  ///< map header and full index after the xattrs; `u`: blocks, for stat
  tail_packed = 2,      ///< whole blocks from block `u` on, the rest after the xattrs
  compressed = 3,       ///< map header and compact index after the xattrs
  chunked = 4,          ///< block addresses of chunks after the xattrs
};
constexpr bool is_compressed(Layout layout) {
  return layout == Layout::compressed_full || layout == Layout::compressed;
}
constexpr std::uint16_t kFormatExtended = 1;  ///< bit 0 of `format`: 64 bytes, not 32
constexpr unsigned kFormatLayoutShift = 1;
constexpr std::uint16_t kFormatKnownBits = 0xF;

/// Low 5 bits of `u` of a chunk-based inode: log2 of the chunk size, less kBlockBits.
constexpr std::uint32_t kChunkBitsMask = 31;
constexpr std::uint32_t kChunkBitsMax = kBlockBits + kChunkBitsMask;
/// Bit of the same: the addresses are of the form RawChunkIndex, not just le32.
constexpr std::uint32_t kChunkIndexes = 32;

struct RawChunkIndex {
  le16 reserved;
  le16 device_id;  ///< 0: this image
  le32 block;      ///< kNoBlock: a hole
};
static_assert(sizeof(RawChunkIndex) == 8 && alignof(RawChunkIndex) == 1);
static_assert(std::has_unique_object_representations_v<RawChunkIndex>);

/// Bits of RawMapHeader::advise.
enum MapAdvice : std::uint16_t {
  kAdviseWidePacks = 1,    ///< compact index: packs of 16 entries occur
  kAdviseExtents = 1,      ///< full index: in truth a list of extents, a later form
  kAdviseBigHead1 = 2,     ///< clusters of HEAD1 may have many blocks
  kAdviseBigHead2 = 4,     ///< ... and those of PLAIN and HEAD2
  kAdviseInline = 8,       ///< `inline_size` tells whether the last extent is inline
  kAdviseInterlaced = 16,  ///< how plain clusters are laid out within
  kAdviseFragment = 32,    ///< the last extent is a fragment
};
constexpr std::uint16_t kAdviseKnownBits = kAdviseWidePacks | kAdviseBigHead1 | kAdviseBigHead2 |
                                           kAdviseInline | kAdviseInterlaced | kAdviseFragment;
/// Highest bit of a map header as one 64-bit number: all of the file is one fragment, and the other
/// bits are its offset in the packed inode.
constexpr std::uint64_t kWholeFileFragment = std::uint64_t{1} << 63;

struct RawMapHeader {
  le16 fragment_offset_low;  ///< bytes in the packed inode: bits 0 to 15
  le16 inline_size;          ///< bytes of the inline cluster; or bits 16 to 31 of that offset
  le16 advise;
  std::uint8_t algorithms = 0;    ///< of HEAD1 (low half) and HEAD2
  std::uint8_t cluster_bits = 0;  ///< low half: log2 of the logical cluster size, less kBlockBits
};
static_assert(sizeof(RawMapHeader) == 8 && alignof(RawMapHeader) == 1);
static_assert(std::has_unique_object_representations_v<RawMapHeader>);

/// Kinds of entries of an index.
enum class ClusterType : std::uint8_t {
  plain = 0,  ///< head; its cluster is not compressed
  head1 = 1,
  nonhead = 2,
  head2 = 3,
};
constexpr std::uint16_t kClusterTypeMask = 3;
/// Bit of a nonhead entry's first distance: the rest are the blocks of a big cluster.
constexpr std::uint16_t kBlockCount = 1 << 11;

/// An entry of a full index. It begins 8 bytes after the map header.
struct RawClusterIndex {
  le16 advise;          ///< bits 0 and 1: the type
  le16 cluster_offset;  ///< head: byte of the logical cluster where its extent begins
  /// Head: first block of its cluster, or bits 32 to 63 of a fragment's offset. Nonhead: two 16-bit
  /// distances, in entries: to its head, and to the next one.
  le32 block_or_distances;
};
static_assert(sizeof(RawClusterIndex) == 8 && alignof(RawClusterIndex) == 1);
static_assert(std::has_unique_object_representations_v<RawClusterIndex>);
constexpr std::uint32_t kFullIndexGap = 8;  ///< bytes between map header and full index

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
