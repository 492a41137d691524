#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <intact/base/bytes.h>

namespace intact::erofs {

/// An attribute name as entries store it: a number for a well-known prefix, and the rest.
struct SplitName {
  std::uint8_t index;
  std::string_view suffix;  ///< a view into the name
};

/// Splits off the first prefix that fits; index 0 and the whole name when none does.
SplitName split_xattr_name(std::string_view name);

/// The prefix that an index denotes; nothing for one that this format does not define.
std::optional<std::string_view> xattr_prefix(std::uint8_t index);

/// The bit of an inode's name filter that this name clears.
std::uint32_t xattr_filter_bit(const SplitName& name);

/// Bytes of an entry with its padding.
std::size_t xattr_entry_size(std::string_view name, std::size_t value_size);

/// Writes an entry to the front of `out`, which must be zero and large enough; returns its size.
std::size_t encode_xattr_entry(std::string_view name, std::string_view value, MutableByteSpan out);

/// Value of RawInode*::xattr_icount for an area of `area_size` bytes (0 or at least 12).
constexpr std::size_t xattr_icount(std::size_t area_size) {
  return area_size == 0 ? 0 : (area_size - 12) / 4 + 1;
}
/// And back.
constexpr std::size_t xattr_area_size(std::uint16_t icount) {
  return icount == 0 ? 0 : 12 + 4 * (std::size_t{icount} - 1);
}

}  // namespace intact::erofs
