#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing.h"

namespace intact::composefs {
namespace {

using test::dump_of;
using test::parse;

const std::string kRoot = "/ 0 40755 2 0 0 0 0.0 - - -\n";
const std::string kHex = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

std::string repeat(std::string_view text, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += text;
  return out;
}

/// A rule of the format: a dump that breaks it, and its twin that just keeps it.
struct Rule {
  std::string name;
  std::string broken;
  std::string kept;
  std::string reason;
  ErrorKind kind = ErrorKind::malformed;
  bool strict = false;
  bool needs_root = true;
};

std::vector<Rule> rules() {
  const auto with_xattrs = [](const std::string& xattrs) {
    return "/f 0 100644 1 0 0 0 0.0 - - - " + xattrs + "\n";
  };
  return {
      // Paths.
      {"NoFiles", "", kRoot, "the dump is empty", ErrorKind::malformed, false, false},
      {"RootIsNotFirst", "/f 0 100644 1 0 0 0 0.0 - - -\n", kRoot, "root directory",
       ErrorKind::malformed, false, false},
      {"RootIsAFile", "/ 0 100644 1 0 0 0 0.0 - - -\n", kRoot, "root is not a directory",
       ErrorKind::malformed, false, false},
      {"TwoRoots", kRoot, "/d 0 40755 2 0 0 0 0.0 - - -\n", "second root"},
      {"EmptyLine", "\n", "/f 0 100644 1 0 0 0 0.0 - - -\n", "absolute path"},
      {"RelativePath", "f 0 100644 1 0 0 0 0.0 - - -\n", "/f 0 100644 1 0 0 0 0.0 - - -\n",
       "absolute path"},
      {"Dot", "/. 0 100644 1 0 0 0 0.0 - - -\n", "/.. 0 100644 1 0 0 0 0.0 - - -\n", "ends with"},
      {"EmptyName", "// 0 100644 1 0 0 0 0.0 - - -\n", "//f 0 100644 1 0 0 0 0.0 - - -\n",
       "without a name"},
      {"LongName", "/" + std::string(256, 'n') + " 0 100644 1 0 0 0 0.0 - - -\n",
       "/" + std::string(255, 'n') + " 0 100644 1 0 0 0 0.0 - - -\n", "file name of 256",
       ErrorKind::limit},
      {"NoParent", "/d/f 0 100644 1 0 0 0 0.0 - - -\n",
       "/d 0 40755 2 0 0 0 0.0 - - -\n/d/f 0 100644 1 0 0 0 0.0 - - -\n",
       "directory '/d' does not exist"},
      {"ParentIsAFile", "/d 0 100755 1 0 0 0 0.0 - - -\n/d/f 0 100644 1 0 0 0 0.0 - - -\n",
       "/d 0 40755 2 0 0 0 0.0 - - -\n/d/f 0 100644 1 0 0 0 0.0 - - -\n", "not a directory"},
      {"Duplicate", "/f 0 100644 1 0 0 0 0.0 - - -\n/f 0 100644 1 0 0 0 0.0 - - -\n",
       "/f 0 100644 1 0 0 0 0.0 - - -\n/g 0 100644 1 0 0 0 0.0 - - -\n", "there already"},
      // Numbers.
      {"NoFileType", "/f 0 644 1 0 0 0 0.0 - - -\n", "/f 0 10644 1 0 0 0 0.0 - - -\n",
       "impossible file type"},
      {"ModeIsNotOctal", "/f 0 100689 1 0 0 0 0.0 - - -\n", "/f 0 100677 1 0 0 0 0.0 - - -\n",
       "MODE"},
      {"SizeIsNoNumber", "/f 5k 100644 1 0 0 0 0.0 - - -\n", "/f 5 100644 1 0 0 0 0.0 - - -\n",
       "SIZE"},
      {"NlinkIsNoNumber", "/f 0 100644 x 0 0 0 0.0 - - -\n", "/f 0 100644 7 0 0 0 0.0 - - -\n",
       "NLINK"},
      {"UidIsNoNumber", "/f 0 100644 1 x 0 0 0.0 - - -\n", "/f 0 100644 1 7 0 0 0.0 - - -\n",
       "UID"},
      {"GidIsNoNumber", "/f 0 100644 1 5 x 0 0.0 - - -\n", "/f 0 100644 1 5 7 0 0.0 - - -\n",
       "GID"},
      {"RdevIsNoNumber", "/f 0 20644 1 5 0 x 0.0 - - -\n", "/f 0 20644 1 5 0 7 0.0 - - -\n",
       "RDEV"},
      {"TimeIsADecimal", "/f 0 100644 1 0 0 0 5 - - -\n", "/f 0 100644 1 0 0 0 5.0 - - -\n",
       "MTIME"},
      {"TooManyNanoseconds", "/f 0 100644 1 0 0 0 5.1000000000 - - -\n",
       "/f 0 100644 1 0 0 0 5.999999999 - - -\n", "MTIME"},
      {"TooBig", "/f 9007199254740993 100644 1 0 0 0 0.0 - - -\n",
       "/f 9007199254740992 100644 1 0 0 0 0.0 - - -\n", "too big", ErrorKind::limit},
      {"MissingField", "/f 0 100644 1 0 0 0 0.0 - -\n", "/f 0 100644 1 0 0 0 0.0 - - -\n",
       "DIGEST"},
      {"MissingPayload", "/f 0 100644 1 0 0 0 0.0\n", "/p 0 10644 1 0 0 0 0.0 -\n",
       "PAYLOAD is missing"},
      {"StrictMissingField", "/l 0 120777 1 0 0 0 0.0 x\n", "/l 1 120777 1 0 0 0 0.0 x - -\n",
       "CONTENT is missing", ErrorKind::malformed, true},
      // Payload, content, digest.
      {"EmptySymlink", "/l 0 120777 1 0 0 0 0.0 - - -\n", "/l 0 120777 1 0 0 0 0.0 x - -\n",
       "without a target"},
      {"LongSymlink", "/l 0 120777 1 0 0 0 0.0 " + std::string(4096, 't') + " - -\n",
       "/l 0 120777 1 0 0 0 0.0 " + std::string(4095, 't') + " - -\n", "PAYLOAD of 4096",
       ErrorKind::limit},
      {"LongPayload", "/f 9 100644 1 0 0 0 0.0 " + std::string(4096, 't') + " - -\n",
       "/f 9 100644 1 0 0 0 0.0 " + std::string(4095, 't') + " - -\n", "PAYLOAD of 4096",
       ErrorKind::limit},
      {"ContentOfAnotherSize", "/f 4 100644 1 0 0 0 0.0 - abc -\n",
       "/f 3 100644 1 0 0 0 0.0 - abc -\n", "CONTENT of 3"},
      {"LongContent", "/f 5001 100644 1 0 0 0 0.0 - " + std::string(5001, 'c') + " -\n",
       "/f 5000 100644 1 0 0 0 0.0 - " + std::string(5000, 'c') + " -\n", "inline content",
       ErrorKind::limit},
      {"ShortDigest", "/f 9 100644 1 0 0 0 0.0 - - " + kHex.substr(2) + "\n",
       "/f 9 100644 1 0 0 0 0.0 - - " + kHex + "\n", "DIGEST"},
      {"LongDigest", "/f 9 100644 1 0 0 0 0.0 - - " + kHex + kHex + "\n",
       "/f 9 100644 1 0 0 0 0.0 - - " + kHex + "\n", "DIGEST"},
      {"DigestIsNotHex", "/f 9 100644 1 0 0 0 0.0 - - x" + kHex.substr(1) + "\n",
       "/f 9 100644 1 0 0 0 0.0 - - F" + kHex.substr(1) + "\n", "DIGEST"},
      // Escapes.
      {"UnknownEscape", "/a\\q 0 100644 1 0 0 0 0.0 - - -\n", "/a\\t 0 100644 1 0 0 0 0.0 - - -\n",
       "unknown escape"},
      {"LoneBackslash", "/a\\ 0 100644 1 0 0 0 0.0 - - -\n", "/a\\\\ 0 100644 1 0 0 0 0.0 - - -\n",
       "backslash"},
      {"HalfAHexEscape", "/a\\x4 0 100644 1 0 0 0 0.0 - - -\n",
       "/a\\x4a 0 100644 1 0 0 0 0.0 - - -\n", "hex digits"},
      {"HexEscapeOfOtherLetters", "/a\\x4g 0 100644 1 0 0 0 0.0 - - -\n",
       "/a\\x4F 0 100644 1 0 0 0 0.0 - - -\n", "hex digits"},
      {"RawNul", std::string("/a\0 0 100644 1 0 0 0 0.0 - - -\n", 31),
       "/f 1 100644 1 0 0 0 0.0 - \\x00 -\n", "NUL"},
      // Extended attributes.
      {"XattrWithoutValue", with_xattrs("user.a"), with_xattrs("user.a="), "NAME=VALUE"},
      {"XattrWithoutName", with_xattrs("=v"), with_xattrs("u=v"), "without a name"},
      {"TwoSpacesBeforeXattr", with_xattrs(" user.a=v"), with_xattrs("user.a=v "), "NAME=VALUE"},
      {"LongXattrName", with_xattrs(std::string(256, 'n') + "=v"),
       with_xattrs(std::string(255, 'n') + "=v"), "256 bytes", ErrorKind::limit},
      {"LongXattrs", with_xattrs("u=" + std::string(32767 - 12 - 7, 'v')),
       with_xattrs("u=" + std::string(32767 - 12 - 8, 'v')), "add up", ErrorKind::limit},
      {"LongXattrText", with_xattrs("u=" + repeat("\\x41", 16384)),
       with_xattrs("u=" + repeat("\\x41", 16383)), "65538 bytes", ErrorKind::limit},
      // Hard links.
      {"LinkOfADirectory", "/d 0 @40755 2 0 0 0 0.0 / - -\n",
       "/f 0 100644 1 0 0 0 0.0 - - -\n/d 0 @100644 2 0 0 0 0.0 /f - -\n", "directories cannot"},
      {"LinkToADirectory", "/d 0 40755 2 0 0 0 0.0 - - -\n/l 0 @100644 2 0 0 0 0.0 /d - -\n",
       "/d 0 100755 2 0 0 0 0.0 - - -\n/l 0 @100644 2 0 0 0 0.0 /d - -\n", "to directory"},
      {"LinkToTheRoot", "/l 0 @100644 2 0 0 0 0.0 / - -\n",
       "/d 0 100755 2 0 0 0 0.0 - - -\n/l 0 @100644 2 0 0 0 0.0 /d - -\n", "to directory"},
      {"LinkToNothing", "/l 0 @100644 1 0 0 0 0.0 /x - -\n",
       "/l 0 @100644 1 0 0 0 0.0 /x - -\n/x 0 100644 1 0 0 0 0.0 - - -\n", "does not exist"},
      {"LinkWithoutTarget", "/x 0 100644 1 0 0 0 0.0 - - -\n/l 0 @100644 1 0 0 0 0.0 - - -\n",
       "/x 0 100644 1 0 0 0 0.0 - - -\n/l 0 @100644 1 0 0 0 0.0 /x - -\n", "absolute path"},
      {"LinkToItself", "/l 0 @100644 1 0 0 0 0.0 /l - -\n",
       "/x 0 100644 1 0 0 0 0.0 - - -\n/l 0 @100644 1 0 0 0 0.0 /x - -\n", "to itself"},
      {"LinksInACircle", "/a 0 @100644 1 0 0 0 0.0 /b - -\n/b 0 @100644 1 0 0 0 0.0 /a - -\n",
       "/a 0 @100644 1 0 0 0 0.0 /b - -\n/b 0 100644 1 0 0 0 0.0 - - -\n", "to itself"},
      {"LinkWithoutFileType", "/x 0 100644 1 0 0 0 0.0 - - -\n/l 0 @0 1 0 0 0 0.0 /x - -\n",
       "/x 0 100644 1 0 0 0 0.0 - - -\n/l 0 @100000 1 0 0 0 0.0 /x - -\n", "impossible file type"},
      // What only the strict reader minds.
      {"StrictUnfinishedLine", "/f 0 100644 1 0 0 0 0.0 - - -", "/f 0 100644 1 0 0 0 0.0 - - -\n",
       "does not end", ErrorKind::malformed, true},
      {"StrictRdev", "/f 0 100644 1 0 0 5 0.0 - - -\n", "/f 0 20644 1 0 0 5 0.0 - - -\n",
       "device number", ErrorKind::malformed, true},
      {"StrictSymlinkSize", "/l 4 120777 1 0 0 0 0.0 abc - -\n",
       "/l 3 120777 1 0 0 0 0.0 abc - -\n", "symlink of size", ErrorKind::malformed, true},
      {"StrictSymlinkContent", "/l 3 120777 1 0 0 0 0.0 abc abc -\n",
       "/l 3 120777 1 0 0 0 0.0 abc - -\n", "with content", ErrorKind::malformed, true},
  };
}

TEST(DumpRules, BrokenOnesAreRefusedAndTheirTwinsAccepted) {
  for (const Rule& rule : rules()) {
    SCOPED_TRACE(rule.name);
    const std::string prefix = rule.needs_root ? kRoot : "";
    const auto refused = parse(prefix + rule.broken, rule.strict);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message(), testing::HasSubstr(rule.reason));
    EXPECT_EQ(refused.error().kind(), rule.kind);
    if (rule.name == "Dot") continue;  // its twin is the next rule
    const auto accepted = parse(prefix + rule.kept, rule.strict);
    EXPECT_TRUE(accepted) << accepted.error().message();
    if (rule.strict) {
      EXPECT_TRUE(parse(prefix + rule.broken, false));
    }
  }
  EXPECT_FALSE(parse(kRoot + "/.. 0 100644 1 0 0 0 0.0 - - -\n"));
  EXPECT_TRUE(parse(kRoot + "/... 0 100644 1 0 0 0 0.0 - - -\n"));
}

TEST(DumpParser, ErrorsNameTheLine) {
  const auto refused = parse(kRoot + "/a 0 100644 1 0 0 0 0.0 - - -\n/b 0 0 1 0 0 0 0.0 - - -\n");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), testing::StartsWith("line 3: "));
}

TEST(DumpParser, TakesWhatTheFormatDescribes) {
  const auto tree = parse(kRoot + "/f\\x20\\\\\\n 3 100640 5 1 2 0 -3.7 pay/load a\\x00c " + kHex +
                          " user.a\\x3d=\\x00\\x2d user.b=1 user.b=2\n"
                          "/wrapped 0 100644 1 0 0 0 18446744073709551615.0 - - -\n"
                          "/dash 0 120777 1 0 0 0 0.0 \\x2d - -\n"
                          "/c 0 20600 1 4294967297 0 4294967299 0.0 - - -\n");
  ASSERT_TRUE(tree) << tree.error().message();
  const auto file = tree->find("/f \\\n");
  ASSERT_TRUE(file);
  EXPECT_EQ(file->attributes.mode, 0100640u);
  EXPECT_EQ(file->attributes.nlink, 5u);
  EXPECT_EQ(file->attributes.uid, 1u);
  EXPECT_EQ(file->attributes.gid, 2u);
  EXPECT_EQ(file->attributes.mtime, (tree::Timestamp{-3, 7}));
  EXPECT_EQ(file->payload, "pay/load");
  EXPECT_EQ(file->content, std::string("a\0c", 3));
  ASSERT_TRUE(file->digest);
  EXPECT_EQ(file->digest->hex(), kHex);
  EXPECT_THAT(file->xattrs, testing::ElementsAre(tree::Xattr{"user.a=", std::string("\0-", 2)},
                                                 tree::Xattr{"user.b", "2"}));
  EXPECT_EQ(tree->find("/wrapped")->attributes.mtime.seconds, -1);
  EXPECT_EQ(tree->find("/dash")->payload, "-");
  EXPECT_EQ(tree->find("/c")->attributes.uid, 1u);  // the low 32 bits
  EXPECT_EQ(tree->find("/c")->attributes.rdev, 3u);
}

TEST(DumpParser, HardLinksShareAnInode) {
  const auto tree = parse(kRoot +
                          "/a 0 @100644 1 0 0 0 0.0 /b - -\n"
                          "/b 0 @100644 1 0 0 0 0.0 //c - -\n"
                          "/c 3 100644 9 0 0 0 0.0 - abc -\n");
  ASSERT_TRUE(tree) << tree.error().message();
  EXPECT_EQ(tree->find("/a"), tree->find("/c"));
  EXPECT_EQ(tree->find("/b"), tree->find("/c"));
  EXPECT_EQ(tree->find("/a")->attributes.nlink, 9u);
  EXPECT_TRUE(tree->root().entries.at("a").hard_link);
  EXPECT_FALSE(tree->root().entries.at("c").hard_link);
}

TEST(DumpParser, LongChainsOfLinksTakeLinearTime) {
  std::string dump = kRoot;
  constexpr int kLinks = 20000;
  for (int i = 0; i < kLinks; ++i)
    dump += fmt::format("/{:06d} 0 @100644 1 0 0 0 0.0 /{:06d} - -\n", i, i + 1);
  EXPECT_FALSE(parse(dump));
  const auto tree = parse(dump + fmt::format("/{:06d} 0 100644 1 0 0 0 0.0 - - -\n", kLinks));
  ASSERT_TRUE(tree) << tree.error().message();
  EXPECT_EQ(tree->find("/000000"), tree->find(fmt::format("/{:06d}", kLinks)));
}

/// Hands out a byte at a time, and large lines in pieces.
class SlowStream final : public ByteStream {
 public:
  explicit SlowStream(std::string text) : text_(std::move(text)) {}
  Result<std::size_t> read(MutableByteSpan out) override {
    if (at_ == text_.size()) return std::size_t{0};
    out[0] = static_cast<std::byte>(text_[at_++]);
    return std::size_t{1};
  }

 private:
  std::string text_;
  std::size_t at_ = 0;
};

TEST(DumpParser, PiecesOfAnySizeGiveTheSame) {
  const std::string text = kRoot + "/f 3 100644 1 0 0 0 0.0 - abc -\n/g 0 100644 1 0 0 0 0.0 - - -";
  SlowStream slow(text);
  const auto tree = parse_dump(slow);
  ASSERT_TRUE(tree) << tree.error().message();
  EXPECT_EQ(dump_of(*tree), dump_of(*parse(text)));
}

TEST(DumpParser, EndlessLinesAreRefused) {
  const auto refused = parse(kRoot + "/" + std::string(3 << 20, 'x'));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::limit);
}

std::string chain_of_directories(int depth, const std::string& name) {
  std::string dump = kRoot;
  std::string path;
  for (int i = 0; i < depth; ++i) {
    path += "/" + name;
    dump += path + " 0 40755 2 0 0 0 0.0 - - -\n";
  }
  return dump;
}

TEST(DumpParser, DeepTreesNeedNoStack) {
  auto tree = parse(chain_of_directories(2000, "d"));
  ASSERT_TRUE(tree) << tree.error().message();
  const auto image = write_image(*tree);
  ASSERT_TRUE(image) << image.error().message();
  const auto back = read_tree(test::source_of(*image));
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_TRUE(back->find(repeat("/d", 2000)));
}

TEST(DumpParser, PathsHaveALimit) {
  const std::string name(255, 'n');
  EXPECT_TRUE(parse(chain_of_directories(64, name)));
  const auto refused = parse(chain_of_directories(65, name));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::limit);
}

TEST(DumpWriter, WritesLinesAsComposefsInfoDoes) {
  const std::string text =
      "/ 0 40755 3 0 0 0 0.0 - - -\n"
      "/a\\x20b\\\\\\n\\r\\t\\xff 3 100644 2 1 2 0 -5.7 - a=c - user.n\\x3dm=\\x3d\\x00\n"
      "/d 0 40700 2 0 0 0 0.0 - - -\n"
      "/d/- 3 @100644 2 1 2 0 -5.7 /a\\x20b\\\\\\n\\r\\t\\xff a=c - user.n\\x3dm=\\x3d\\x00\n"
      "/e 9 100644 1 0 0 0 1.9 \\x2d - " +
      kHex +
      "\n"
      "/l 1 120777 1 0 0 0 0.0 \\x2d - -\n";
  const auto tree = parse(text);
  ASSERT_TRUE(tree) << tree.error().message();
  std::string expected = text;
  expected.replace(0, expected.find('\n'), "/ 0 40755 3 0 0 0 0.0 - - -");
  EXPECT_EQ(dump_of(*tree), expected);
}

TEST(DumpWriter, AnErrorOfTheSinkEndsIt) {
  const auto tree = parse(kRoot);
  ASSERT_TRUE(tree);
  const auto outcome = write_dump(*tree, [](std::string_view) -> Result<void> {
    return Error(ErrorKind::cancelled, "enough");
  });
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind(), ErrorKind::cancelled);
}

}  // namespace
}  // namespace intact::composefs
