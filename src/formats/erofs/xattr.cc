#include <algorithm>
#include <array>
#include <cstring>

#include <xxhash.h>

#include <intact/base/checked.h>
#include <intact/erofs/format.h>
#include <intact/erofs/xattr.h>

namespace intact::erofs {
namespace {

struct Prefix {
  std::uint8_t index;
  std::string_view text;
};

/// EROFS_XATTR_INDEX_*. Index 5 is read but never written: there are no such names on Linux.
constexpr std::array kPrefixes = {
    Prefix{1, "user."},
    Prefix{2, "system.posix_acl_access"},
    Prefix{3, "system.posix_acl_default"},
    Prefix{4, "trusted."},
    Prefix{6, "security."},
};

constexpr std::uint32_t kFilterSeed = 0x25BBE08F;

}  // namespace

SplitName split_xattr_name(std::string_view name) {
  for (const Prefix& prefix : kPrefixes) {
    if (name.starts_with(prefix.text)) return {prefix.index, name.substr(prefix.text.size())};
  }
  return {0, name};
}

std::optional<std::string_view> xattr_prefix(std::uint8_t index) {
  if (index == 0) return "";
  if (index == 5) return "lustre.";
  for (const Prefix& prefix : kPrefixes) {
    if (prefix.index == index) return prefix.text;
  }
  return std::nullopt;
}

std::uint32_t xattr_filter_bit(const SplitName& name) {
  return XXH32(name.suffix.data(), name.suffix.size(), kFilterSeed + name.index) & 31;
}

std::size_t xattr_entry_size(std::string_view name, std::size_t value_size) {
  return align_up<std::size_t>(
      sizeof(RawXattrEntry) + split_xattr_name(name).suffix.size() + value_size, 4);
}

std::size_t encode_xattr_entry(std::string_view name, std::string_view value, MutableByteSpan out) {
  const SplitName split = split_xattr_name(name);
  const RawXattrEntry raw{static_cast<std::uint8_t>(split.suffix.size()), split.index,
                          static_cast<std::uint16_t>(value.size())};
  std::memcpy(out.data(), &raw, sizeof raw);
  auto at = out.begin() + sizeof raw;
  for (const ByteSpan part : {as_bytes(split.suffix), as_bytes(value)})
    at = std::copy(part.begin(), part.end(), at);
  return xattr_entry_size(name, value.size());
}

}  // namespace intact::erofs
