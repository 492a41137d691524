#include <gtest/gtest.h>

#include <intact/base/damage.h>

namespace intact {
namespace {

TEST(Damage, OfAFileIsOneLine) {
  Damage damage{.object = "objects/ab/cd",
                .range = DamagedRange{.first = 5, .offset = 20480, .bytes = 4096},
                .path = "/usr/bin/sh",
                .reason = "does not match its hash"};
  EXPECT_EQ(damage_line(damage, "(image metadata)"),
            "/usr/bin/sh: block 5 (byte 20480) of objects/ab/cd: does not match its hash");
  damage.range.reset();
  damage.reason = "is missing";
  EXPECT_EQ(damage_line(damage), "/usr/bin/sh of objects/ab/cd: is missing");
}

TEST(Damage, WithoutAPathIsNamedByItsObjectOrAsTheCallerSays) {
  Damage damage{.object = "images/ef",
                .range = DamagedRange{.first = 1, .offset = 4096, .bytes = 4096},
                .reason = "does not match its hash"};
  EXPECT_EQ(damage_line(damage), "images/ef: block 1 (byte 4096): does not match its hash");
  EXPECT_EQ(damage_line(damage, "(image metadata)"),
            "(image metadata): block 1 (byte 4096) of images/ef: does not match its hash");
  damage.range.reset();
  EXPECT_EQ(damage_line(damage), "images/ef: does not match its hash");
}

TEST(Damage, CannotSteerATerminal) {
  EXPECT_EQ(damage_line({.object = "names/\x1b", .path = "/a\\\n", .reason = "no \x1b and no \\"}),
            "/a\\\\\\x0a of names/\\x1b: no \\x1b and no \\");
}

TEST(Damage, OfADeviceIsARange) {
  EXPECT_EQ(range_text({.first = 5, .offset = 20480, .bytes = 4096}, "data block"),
            "data block 5 (bytes 20480 to 24575)");
  EXPECT_EQ(range_text({.first = 5, .count = 2, .offset = 2560, .bytes = 1024}, "sector"),
            "sectors 5 to 6 (bytes 2560 to 3583)");
}

}  // namespace
}  // namespace intact
