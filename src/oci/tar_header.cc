#include "tar_header.h"

#include <algorithm>

#include <intact/base/endian.h>

namespace intact::oci {

using namespace std::string_view_literals;

TarDialect dialect_of(const RawTarHeader& header) {
  const std::string_view magic(header.magic.data(), header.magic.size());
  if (magic == "ustar  \0"sv) return TarDialect::gnu;
  if (!magic.starts_with("ustar\0"sv)) return TarDialect::v7;
  const std::string_view star(header.star_magic.data(), header.star_magic.size());
  return star == "tar\0"sv ? TarDialect::star : TarDialect::ustar;
}

std::int64_t tar_checksum(const RawTarHeader& header, bool as_signed) {
  RawTarHeader blank = header;
  blank.checksum.fill(' ');
  std::int64_t sum = 0;
  for (const std::byte b : bytes_of(blank)) {
    const auto value = std::to_integer<std::uint8_t>(b);
    sum += as_signed ? std::int64_t{static_cast<std::int8_t>(value)} : std::int64_t{value};
  }
  return sum;
}

bool has_good_checksum(const RawTarHeader& header) {
  const auto stated = field_number(header.checksum);
  return stated && (*stated == tar_checksum(header) || *stated == tar_checksum(header, true));
}

std::string_view field_text(std::string_view field) {
  return field.substr(0, std::min(field.find('\0'), field.size()));
}

static std::optional<std::int64_t> base256_number(std::string_view field) {
  // The top bit is the mark, the one below it the sign; two's complement, big end first.
  const auto first = static_cast<std::uint8_t>(field[0]);
  const bool negative = (first & 0x40) != 0;
  std::int64_t value = negative ? -1 : 0;
  for (std::size_t i = 0; i < field.size(); ++i) {
    std::uint8_t byte = static_cast<std::uint8_t>(field[i]);
    if (i == 0) byte = negative ? byte | 0x80 : byte & 0x7f;
    if (value > INT64_MAX >> 8 || value < INT64_MIN >> 8) return std::nullopt;
    value = static_cast<std::int64_t>(static_cast<std::uint64_t>(value) << 8 | byte);
  }
  return value;
}

std::optional<std::int64_t> field_number(std::string_view field) {
  if (!field.empty() && (static_cast<std::uint8_t>(field[0]) & 0x80) != 0)
    return base256_number(field);
  field.remove_prefix(std::min(field.find_first_not_of(' '), field.size()));
  std::int64_t value = 0;
  while (!field.empty() && field[0] >= '0' && field[0] <= '7') {
    value = value * 8 + (field[0] - '0');  // at most 12 digits: cannot overflow
    field.remove_prefix(1);
  }
  const bool ended =
      std::all_of(field.begin(), field.end(), [](char c) { return c == ' ' || c == '\0'; });
  return ended ? std::optional(value) : std::nullopt;
}

}  // namespace intact::oci
