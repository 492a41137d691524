#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include <sys/stat.h>

namespace intact::tree {

/// A point in time: seconds since 1970 (may be negative) and nanoseconds 0..999999999 after that.
struct Timestamp {
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;
  auto operator<=>(const Timestamp&) const = default;
};

/// An extended attribute. Both parts are bytes; names are whole ("user.x"), values may hold NUL.
struct Xattr {
  std::string name;
  std::string value;
  auto operator<=>(const Xattr&) const = default;
};

/// What an xattr takes in memory besides its bytes: many of them are short.
inline constexpr std::uint64_t kXattrCost = 64;
/// Bytes for the names, link targets and xattrs of a tree, each xattr with kXattrCost more, unless
/// the user says otherwise: for what makes a tree of layers, and for what reads it back.
inline constexpr std::uint64_t kMaxMetadata = std::uint64_t{1} << 30;

/// What stat(2) tells and an image records. `mode` is st_mode: type and permission bits.
struct Attributes {
  std::uint32_t mode = 0;
  std::uint32_t nlink = 1;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  /// st_rdev of device nodes (its low 32 bits, which is makedev(3) of every number in use);
  /// otherwise 0.
  std::uint32_t rdev = 0;
  std::uint64_t size = 0;  ///< bytes
  Timestamp mtime;

  std::uint32_t type() const { return mode & S_IFMT; }
  bool is_directory() const { return S_ISDIR(mode); }
  bool is_regular() const { return S_ISREG(mode); }
  bool is_symlink() const { return S_ISLNK(mode); }
  bool is_device() const { return S_ISCHR(mode) || S_ISBLK(mode); }
};

}  // namespace intact::tree
