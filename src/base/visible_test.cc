#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <intact/base/visible.h>

namespace intact {
namespace {

std::string utf8(char32_t code) {
  const auto tail = [&](int shift) { return static_cast<char>(0x80 | ((code >> shift) & 0x3f)); };
  if (code < 0x80) return {static_cast<char>(code)};
  if (code < 0x800) return {static_cast<char>(0xc0 | code >> 6), tail(0)};
  if (code < 0x10000) return {static_cast<char>(0xe0 | code >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xf0 | code >> 18), tail(12), tail(6), tail(0)};
}

TEST(Visible, ShowsWhatWouldAct) {
  EXPECT_EQ(visible("plain \u00e9\u4e2d\U0001f600"), "plain \u00e9\u4e2d\U0001f600");
  EXPECT_EQ(visible("a\x1b[31m\n\t\x7f\\"), "a\\x1b[31m\\x0a\\x09\\x7f\\\\");
  EXPECT_EQ(visible("\xff\xc0\x80\xed\xa0\x80"), "\\xff\\xc0\\x80\\xed\\xa0\\x80");
  EXPECT_EQ(visible("\xe4\xb8"), "\\xe4\\xb8");  // cut
  EXPECT_EQ(visible("\u202egpj.exe"), "\\u{202e}gpj.exe");
  EXPECT_EQ(visible("\u0085\u2028\ufeff"), "\\u{85}\\u{2028}\\u{feff}");
}

TEST(Visible, EscapesEveryControlCharacterHoweverItIsEncoded) {
  for (unsigned c = 0; c < 0x100; ++c) {
    const bool control = c < 0x20 || (c >= 0x7f && c < 0xa0);
    const std::string byte(1, static_cast<char>(c));
    if (control || c >= 0x80) {  // C1 of an 8-bit terminal, or just not UTF-8
      EXPECT_EQ(visible(byte), fmt::format("\\x{:02x}", c));
    }
    if (control && c >= 0x80) {
      EXPECT_EQ(visible(utf8(c)), fmt::format("\\u{{{:x}}}", c));
    }
    if (!control && c != '\\' && c != 0xad) {
      EXPECT_EQ(visible(utf8(c)), utf8(c));
    }
  }
}

// Of category Cf, Zl or Zp, or of no width by Default_Ignorable_Code_Point.
TEST(Visible, EscapesCharactersThatNobodySees) {
  for (const char32_t code :
       {0xadU,    0x34fU,   0x600U,   0x61cU,   0x6ddU,   0x70fU,   0x890U,   0x8e2U,   0x115fU,
        0x1160U,  0x17b4U,  0x180bU,  0x180eU,  0x180fU,  0x200bU,  0x200cU,  0x200dU,  0x200eU,
        0x200fU,  0x2028U,  0x2029U,  0x202aU,  0x202bU,  0x202cU,  0x202dU,  0x202eU,  0x2060U,
        0x2063U,  0x2065U,  0x2066U,  0x2067U,  0x2068U,  0x2069U,  0x206aU,  0x206fU,  0x3164U,
        0xfdd0U,  0xfe00U,  0xfe0fU,  0xfeffU,  0xffa0U,  0xfff0U,  0xfff9U,  0xfffbU,  0xfffeU,
        0xffffU,  0x110bdU, 0x13430U, 0x1343fU, 0x1bca0U, 0x1d173U, 0x1d17aU, 0x1fffeU, 0xe0000U,
        0xe0001U, 0xe0020U, 0xe007fU, 0xe0100U, 0xe01efU, 0xe0fffU, 0x10ffffU}) {
    const auto number = static_cast<unsigned>(code);
    EXPECT_EQ(visible("a" + utf8(code) + "b"), fmt::format("a\\u{{{:x}}}b", number));
    EXPECT_EQ(visible_message(utf8(code)), fmt::format("\\u{{{:x}}}", number));
  }
}

TEST(Visible, LeavesTheNeighboursOfTheseAlone) {
  for (const char32_t code :
       {0xa0U,    0xacU,    0xaeU,    0x34eU,   0x350U,         0x5d0U,   0x606U,
        0x61bU,   0x61dU,   0x115eU,  0x1161U,  0x180aU,        0x1810U,  0x200aU,
        0x2010U,  0x2027U,  0x202fU,  0x205fU,  0x2070U,        0x3163U,  0x3165U,
        0xfdf0U,  0xfe10U,  0xfefeU,  0xff00U,  0xfff0U - 0x10, 0xfffcU,  0xfffdU,
        0x10000U, 0x1d172U, 0x1d17bU, 0xdfffdU, 0xe1000U,       0x10fffdU})
    EXPECT_EQ(visible(utf8(code)), utf8(code)) << std::hex << static_cast<unsigned>(code);
}

TEST(Visible, EscapesNothingTwiceInMessages) {
  EXPECT_EQ(visible_message("plain \u00e9"), "plain \u00e9");
  EXPECT_EQ(visible_message("entry '" + visible("a\nb\\") + "': type '\x1b'\n"),
            "entry 'a\\x0ab\\\\': type '\\x1b'\\x0a");
}

}  // namespace
}  // namespace intact
