#include <gtest/gtest.h>

#include <intact/base/visible.h>

namespace intact {
namespace {

TEST(Visible, ShowsWhatWouldAct) {
  EXPECT_EQ(visible("plain \u00e9\u4e2d\U0001f600"), "plain \u00e9\u4e2d\U0001f600");
  EXPECT_EQ(visible("a\x1b[31m\n\t\x7f\\"), "a\\x1b[31m\\x0a\\x09\\x7f\\\\");
  EXPECT_EQ(visible("\xff\xc0\x80\xed\xa0\x80"), "\\xff\\xc0\\x80\\xed\\xa0\\x80");
  EXPECT_EQ(visible("\xe4\xb8"), "\\xe4\\xb8");  // cut
  EXPECT_EQ(visible("\u202egpj.exe"), "\\u{202e}gpj.exe");
  EXPECT_EQ(visible("\u0085\u2028\ufeff"), "\\u{85}\\u{2028}\\u{feff}");
}

TEST(Visible, EscapesNothingTwiceInMessages) {
  EXPECT_EQ(visible_message("plain \u00e9"), "plain \u00e9");
  EXPECT_EQ(visible_message("entry '" + visible("a\nb\\") + "': type '\x1b'\n"),
            "entry 'a\\x0ab\\\\': type '\\x1b'\\x0a");
}

}  // namespace
}  // namespace intact
