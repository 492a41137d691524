#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>

#include <fmt/format.h>

#include <intact/base/visible.h>

namespace intact {
namespace {

struct Character {
  char32_t code;
  std::size_t length;  ///< in bytes; 0: not UTF-8
};

/// The first character of `text`, which must not be empty. Overlong forms and surrogates do not
/// count as UTF-8.
Character decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return {0, 0};
  char32_t code = first & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) return {0, 0};
    code = code << 6 | (byte(i) & 0x3fU);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kSmallest[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
    return {0, 0};
  return {code, length};
}

struct CodeRange {
  char32_t first;
  char32_t last;  ///< inclusive
};

/// Characters that act, or that nobody sees, in order: C1 controls; the format characters of
/// Unicode (category Cf: marks of direction, joiners, tags); line and paragraph separators; the
/// letters, fillers and variation selectors that Unicode displays as nothing
/// (Default_Ignorable_Code_Point); noncharacters.
constexpr CodeRange kActing[] = {
    {0x80, 0x9f},       {0xad, 0xad},       {0x34f, 0x34f},     {0x600, 0x605},
    {0x61c, 0x61c},     {0x6dd, 0x6dd},     {0x70f, 0x70f},     {0x890, 0x891},
    {0x8e2, 0x8e2},     {0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x180b, 0x180f},
    {0x200b, 0x200f},   {0x2028, 0x202e},   {0x2060, 0x206f},   {0x3164, 0x3164},
    {0xfdd0, 0xfdef},   {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},   {0xffa0, 0xffa0},
    {0xfff0, 0xfffb},   {0xfffe, 0xffff},   {0x110bd, 0x110bd}, {0x110cd, 0x110cd},
    {0x13430, 0x1343f}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
};

bool acts(char32_t code) {
  if (code < kActing[0].first) return false;
  const bool noncharacter = (code & 0xfffe) == 0xfffe;
  const auto* const range = std::ranges::lower_bound(kActing, code, {}, &CodeRange::last);
  return noncharacter || (range != std::end(kActing) && range->first <= code);
}

std::string escaped(std::string_view text, bool backslashes) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character c = decode(text);
    const std::size_t length = c.length == 0 ? 1 : c.length;
    if (c.length == 0 || c.code < 0x20 || c.code == 0x7f) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0]));
    } else if (c.code == '\\' && backslashes) {
      out += "\\\\";
    } else if (acts(c.code)) {
      out += fmt::format("\\u{{{:x}}}", static_cast<std::uint32_t>(c.code));
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return out;
}

}  // namespace

std::string visible(std::string_view text) {
  return escaped(text, true);
}

std::string visible_message(std::string_view text) {
  return escaped(text, false);
}

}  // namespace intact
