#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <type_traits>

#include <intact/base/endian.h>

/// What makes an EROFS image a composefs image: a header before the superblock, and the
/// overlayfs attributes by which files find their content. Source: libcomposefs 1.0.8 and
/// Documentation/filesystems/overlayfs.rst.
///
/// The image is mounted as an overlayfs layer above directories of objects. Each file whose content
/// is an object is a sparse file of the right size with
///
///     trusted.overlay.redirect   "/" and the path of the object below the object directory
///     trusted.overlay.metacopy   empty, or RawMetacopy and the fs-verity digest of the object
///
/// What the tree itself has under `trusted.overlay.` is escaped by another `overlay.`: overlayfs
/// takes one level away. A whiteout of the tree would act instead of being shown, so it becomes an
/// empty file with `trusted.overlay.overlay.whiteout` and `user.overlay.whiteout`, in a directory
/// marked by `...whiteouts` and, from format version 1 on, by `...opaque` = "x".
///
/// The root is opaque ("y"), and each of the names 00 to ff that it does not have is a real
/// whiteout: that hides the directories of the objects where the kernel cannot hide whole layers.
namespace intact::composefs {

constexpr std::uint32_t kHeaderMagic = 0xd078629a;
constexpr std::uint32_t kHeaderVersion = 1;
constexpr std::uint32_t kHeaderFlagAcl = 1;  ///< some inode has an ACL
constexpr unsigned kMaxFormatVersion = 1;    ///< that we write
constexpr unsigned kMaxReadableVersion = 2;  ///< composefs-rs's layout, which reads the same

struct RawHeader {
  le32 magic;
  le32 version;
  le32 flags;
  le32 format_version;
  std::array<std::byte, 16> reserved{};
};
static_assert(sizeof(RawHeader) == 32 && alignof(RawHeader) == 1);
static_assert(std::has_unique_object_representations_v<RawHeader>);

/// struct ovl_metacopy of Linux; a digest follows.
struct RawMetacopy {
  std::uint8_t version = 0;
  std::uint8_t length = 0;  ///< bytes, this header included
  std::uint8_t flags = 0;
  std::uint8_t hash_algorithm = 0;  ///< of fs-verity; 0: no digest
};
static_assert(sizeof(RawMetacopy) == 4 && alignof(RawMetacopy) == 1);

constexpr std::string_view kOverlayPrefix = "trusted.overlay.";
constexpr std::string_view kEscapedPrefix = "trusted.overlay.overlay.";
constexpr std::string_view kMetacopy = "trusted.overlay.metacopy";
constexpr std::string_view kRedirect = "trusted.overlay.redirect";
constexpr std::string_view kOpaque = "trusted.overlay.opaque";
constexpr std::string_view kEscapedOpaque = "trusted.overlay.overlay.opaque";
constexpr std::string_view kEscapedWhiteout = "trusted.overlay.overlay.whiteout";
constexpr std::string_view kEscapedWhiteouts = "trusted.overlay.overlay.whiteouts";
constexpr std::string_view kUserOpaque = "user.overlay.opaque";
constexpr std::string_view kUserWhiteout = "user.overlay.whiteout";
constexpr std::string_view kUserWhiteouts = "user.overlay.whiteouts";
constexpr std::string_view kSelinux = "security.selinux";
constexpr std::string_view kAclAccess = "system.posix_acl_access";
constexpr std::string_view kAclDefault = "system.posix_acl_default";

constexpr std::size_t kContentMax = 5000;      ///< bytes of a file kept inline
constexpr std::size_t kPayloadMax = 4095;      ///< bytes of a payload or symlink target
constexpr std::size_t kXattrNameMax = 255;     ///< bytes
constexpr std::size_t kXattrValueMax = 65535;  ///< bytes
/// Over an inode: 12 bytes, and for each attribute 7 and those of name and value.
constexpr std::size_t kXattrTotalMax = 32767;
constexpr std::size_t kXattrTotalBase = 12;
constexpr std::size_t kXattrTotalEach = 7;
/// Our own limit on paths, read and written, so that no tree is deeper than anything can bear.
constexpr std::size_t kPathMax = 16384;
/// Chunks of the sparse file that represents an object: what fits into a block.
constexpr std::uint64_t kChunksMax = 1024;

}  // namespace intact::composefs
