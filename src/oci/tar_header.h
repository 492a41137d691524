#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <intact/base/bytes.h>

namespace intact::oci {

inline constexpr std::size_t kTarBlock = 512;

/// One header block (POSIX.1-2017 pax, "ustar Interchange Format"; GNU and star differ after
/// `device_minor`). Numbers are octal digits ended by a space or NUL; GNU has base-256 as well.
struct RawTarHeader {
  std::array<char, 100> name;
  std::array<char, 8> mode;
  std::array<char, 8> uid;
  std::array<char, 8> gid;
  std::array<char, 12> size;   // bytes of content
  std::array<char, 12> mtime;  // seconds since 1970
  std::array<char, 8> checksum;
  char type;
  std::array<char, 100> link_name;
  std::array<char, 8> magic;  // "ustar\0" "00"; GNU "ustar  \0"; v7 anything
  std::array<char, 32> user_name;
  std::array<char, 32> group_name;
  std::array<char, 8> device_major;
  std::array<char, 8> device_minor;
  std::array<char, 155> prefix;  // ustar only; star: 131 bytes, then times
  std::array<char, 8> star_pad;
  std::array<char, 4> star_magic;  // star: "tar\0"
};
static_assert(sizeof(RawTarHeader) == kTarBlock && alignof(RawTarHeader) == 1);
static_assert(offsetof(RawTarHeader, checksum) == 148 && offsetof(RawTarHeader, magic) == 257);
static_assert(offsetof(RawTarHeader, prefix) == 345 && offsetof(RawTarHeader, star_magic) == 508);

/// The dialects that name fields differently.
enum class TarDialect { v7, ustar, star, gnu };
TarDialect dialect_of(const RawTarHeader& header);

/// Sum of the block's bytes with the checksum field as spaces; `as_signed` as old writers did it.
std::int64_t tar_checksum(const RawTarHeader& header, bool as_signed = false);
/// Whether the checksum field holds either sum.
bool has_good_checksum(const RawTarHeader& header);

/// The bytes up to the first NUL, or all.
std::string_view field_text(std::string_view field);
template <std::size_t N>
std::string_view field_text(const std::array<char, N>& field) {
  return field_text(std::string_view(field.data(), N));
}

/// A number, octal or base-256; an empty field is 0. Nothing if it is not a number or does not fit.
std::optional<std::int64_t> field_number(std::string_view field);
template <std::size_t N>
std::optional<std::int64_t> field_number(const std::array<char, N>& field) {
  return field_number(std::string_view(field.data(), N));
}

}  // namespace intact::oci
