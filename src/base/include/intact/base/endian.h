#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include <intact/base/bytes.h>
#include <intact/base/result.h>

namespace intact {

/// An integer field of an on-disk struct: fixed byte order, alignment 1. A struct made only of such
/// fields and byte arrays has the layout of the format itself on every machine, without packing
/// attributes, and may be copied from and to raw bytes.
template <std::unsigned_integral T, std::endian kOrder>
class EndianField {
 public:
  constexpr EndianField() = default;
  constexpr EndianField(T value) : bytes_(std::bit_cast<Raw>(ordered(value))) {}
  constexpr T get() const { return ordered(std::bit_cast<T>(bytes_)); }
  constexpr bool operator==(const EndianField&) const = default;

 private:
  using Raw = std::array<std::byte, sizeof(T)>;

  static constexpr T ordered(T value) {
    if constexpr (kOrder == std::endian::native || sizeof(T) == 1) return value;
    if constexpr (sizeof(T) == 2) return __builtin_bswap16(value);
    if constexpr (sizeof(T) == 4) return __builtin_bswap32(value);
    if constexpr (sizeof(T) == 8) return __builtin_bswap64(value);
  }

  Raw bytes_{};
};

using le16 = EndianField<std::uint16_t, std::endian::little>;
using le32 = EndianField<std::uint32_t, std::endian::little>;
using le64 = EndianField<std::uint64_t, std::endian::little>;
using be16 = EndianField<std::uint16_t, std::endian::big>;
using be32 = EndianField<std::uint32_t, std::endian::big>;
using be64 = EndianField<std::uint64_t, std::endian::big>;
static_assert(sizeof(le64) == 8 && alignof(le64) == 1);

/// A type whose bytes are its on-disk form.
template <typename Raw>
concept OnDisk = std::is_trivially_copyable_v<Raw> && alignof(Raw) == 1;

/// Copies a Raw out of `bytes` at `offset`; malformed if it does not fit.
template <OnDisk Raw>
Result<Raw> load(ByteSpan bytes, std::uint64_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(Raw))
    return Error(ErrorKind::malformed, "structure extends beyond the end of the data");
  Raw raw;
  std::memcpy(&raw, bytes.data() + offset, sizeof raw);
  return raw;
}

/// The on-disk bytes of `raw`. The span lives as long as `raw` does.
template <OnDisk Raw>
ByteSpan bytes_of(const Raw& raw) {
  return {reinterpret_cast<const std::byte*>(&raw), sizeof raw};
}

}  // namespace intact
