#pragma once

#include <cstdint>
#include <string_view>

#include <fmt/format.h>

#include <intact/base/error.h>

namespace intact::erofs {

/// The error of an inode that cannot be what it says.
inline Error bad_inode(std::uint64_t nid, std::string_view what) {
  return Error(ErrorKind::malformed, fmt::format("EROFS image, inode {}: {}", nid, what));
}

inline Error unsupported_inode(std::uint64_t nid, std::string_view what) {
  return Error(ErrorKind::unsupported, fmt::format("EROFS image, inode {}: {}", nid, what));
}

}  // namespace intact::erofs
