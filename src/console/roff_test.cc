#include "roff.h"

#include <gtest/gtest.h>

namespace intact::console {
namespace {

TEST(Roff, NothingInTextIsARequest) {
  EXPECT_EQ(roff_text(".so /etc/passwd"), "\\&.so /etc/passwd");
  EXPECT_EQ(roff_text("'br"), "\\&'br");
  EXPECT_EQ(roff_text("a\\fB"), "a\\efB");
  EXPECT_EQ(roff_text("a.b 'c'"), "a.b 'c'");
  EXPECT_EQ(roff_text("no `export oci:-`, *"), "no \\fBexport oci:\\-\\fR, *");
  EXPECT_EQ(roff_text("a ` alone"), "a \\(ga alone");
}

TEST(Roff, WhatIsTypedKeepsItsCharacters) {
  EXPECT_EQ(roff_code("--a-b '~^`"), "\\-\\-a\\-b \\(aq\\(ti\\(ha\\(ga");
}

TEST(Roff, ParagraphsHeadingsAndMarks) {
  EXPECT_EQ(
      roff_from_markdown("One `--two` *three*.\nSame.\n\nNext * and `.\n## FOUR\nFive.\n"),
      "One \\fB\\-\\-two\\fR \\fIthree\\fR.\nSame.\n.PP\nNext * and \\(ga.\n.SH FOUR\nFive.\n");
}

TEST(Roff, Lists) {
  EXPECT_EQ(roff_from_markdown("- `a`: tagged\n- plain\n\nText.\n"),
            ".TP\n\\fBa\\fR\ntagged\n.IP \\(bu 2\nplain\n.PP\nText.\n");
}

TEST(Roff, ExamplesStandAsTheyAre) {
  EXPECT_EQ(roff_from_markdown("One.\n\n## TWO\n\nThree.\n\nFour.\n"),
            "One.\n.SH TWO\nThree.\n.PP\nFour.\n");
  EXPECT_EQ(roff_from_markdown("## DO\n    a\n"), ".SH DO\n.RS 4\n.nf\na\n.fi\n.RE\n");
  EXPECT_EQ(roff_from_markdown("Do:\n\n    a -b *c*\n\n    d\n\nThen.\n"),
            "Do:\n.PP\n.RS 4\n.nf\na \\-b *c*\n\nd\n.fi\n.RE\n.PP\nThen.\n");
}

}  // namespace
}  // namespace intact::console
