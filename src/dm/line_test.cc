#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <intact/dm/line.h>

namespace intact::dm {
namespace {

std::string refusal(std::string_view text) {
  const auto parsed = parse_lines(text);
  if (parsed) return "";
  EXPECT_EQ(parsed.error().kind(), ErrorKind::invalid_argument) << text;
  return parsed.error().message();
}

TEST(Lines, AreTakenAsDmsetupTakesThem) {
  const auto lines = parse_lines(
      "# a comment\n"
      "0 8 zero\n"
      "\n"
      "  8\t16  linear /dev/disk\\ one 2048 \n");
  ASSERT_TRUE(lines) << lines.error().message();
  EXPECT_EQ(*lines, (std::vector<Line>{{.start = 0, .sectors = 8, .target = "zero"},
                                       {.start = 8,
                                        .sectors = 16,
                                        .target = "linear",
                                        .arguments = {"/dev/disk one", "2048"}}}));
}

TEST(Lines, AreRefusedWithTheWordThatIsWrong) {
  EXPECT_EQ(refusal("0 8 zero"), "");
  EXPECT_EQ(refusal(""), "table: has no lines");
  EXPECT_EQ(refusal("# nothing\n"), "table: has no lines");
  EXPECT_EQ(refusal("0 8"),
            "table line 1: ends too early; a line is START SECTORS TARGET ARGUMENT...");
  EXPECT_EQ(refusal("x 8 zero"), "table line 1: word 1 (start): 'x' is not a number of sectors");
  EXPECT_EQ(refusal("-1 8 zero"), "table line 1: word 1 (start): '-1' is not a number of sectors");
  EXPECT_EQ(refusal("0 0 zero"),
            "table line 1: word 2 (length): '0' is not a number of sectors above 0");
  EXPECT_EQ(refusal("0 99999999999999999999 zero"),
            "table line 1: word 2 (length): '99999999999999999999' is not a number of sectors "
            "above 0");
}

TEST(Lines, FollowOneAnother) {
  EXPECT_EQ(refusal("0 8 zero\n8 8 zero"), "");
  EXPECT_EQ(refusal("8 8 zero"),
            "table line 1: begins at sector 8, but a device begins at sector 0; lines must follow "
            "one another");
  EXPECT_EQ(refusal("0 8 zero\n16 8 zero"),
            "table line 2: begins at sector 16, but the line before ends at 8; lines must follow "
            "one another");
  EXPECT_EQ(refusal("0 8 zero\n4 8 zero"),
            "table line 2: begins at sector 4, but the line before ends at 8; lines must follow "
            "one another");
  EXPECT_EQ(refusal("0 18014398509481983 zero"), "");
  EXPECT_EQ(refusal("0 18014398509481984 zero"),
            "table line 1: the device would have 2^63 bytes or more");
}

rc::Gen<std::string> any_word() {
  return rc::gen::nonEmpty(rc::gen::container<std::string>(
      rc::gen::oneOf(rc::gen::element('a', ' ', '\\', ',', ';', ':', '/', '\t'),
                     rc::gen::inRange<char>(33, 127))));
}

std::vector<Line> any_lines() {
  std::vector<Line> lines;
  std::uint64_t end = 0;
  for (int left = *rc::gen::inRange(1, 4); left > 0; --left) {
    const auto sectors = *rc::gen::inRange<std::uint64_t>(1, std::uint64_t{1} << 40);
    lines.push_back({.start = end,
                     .sectors = sectors,
                     .target = *any_word(),
                     .arguments = *rc::gen::container<std::vector<std::string>>(any_word())});
    end += sectors;
  }
  return lines;
}

TEST(Lines, AreTheSameAgainAsText) {
  EXPECT_TRUE(rc::check([] {
    const std::vector<Line> lines = any_lines();
    // A line that begins with # after its numbers is not a comment.
    RC_ASSERT(parse_lines(to_text(lines)).value() == lines);
  }));
}

TEST(Tables, AreTheSameAgainInTheConciseForm) {
  EXPECT_TRUE(rc::check([] {
    std::vector<Table> tables;
    for (int left = *rc::gen::inRange(1, 4); left > 0; --left)
      tables.push_back({.name = *any_word(),
                        .uuid = *rc::gen::oneOf(rc::gen::just(std::string()), any_word()),
                        .read_only = *rc::gen::arbitrary<bool>(),
                        .lines = any_lines()});
    RC_ASSERT(parse_concise(to_concise(tables)).value() == tables);
  }));
}

TEST(Tables, LookAsDmsetupShowsThem) {
  EXPECT_EQ(to_concise({{.name = "a,b",
                         .uuid = "CRYPT-x",
                         .read_only = true,
                         .lines = {{.start = 0, .sectors = 8, .target = "zero"},
                                   {.start = 8, .sectors = 8, .target = "error"}}},
                        {.name = "c", .lines = {{.sectors = 8, .target = "zero"}}}}),
            "a\\,b,CRYPT-x,,ro,0 8 zero,8 8 error;c,,,rw,0 8 zero");
  for (const char* bad : {"", "a,,,rw", ",,,rw,0 8 zero", "a,,,rx,0 8 zero", "a,,,rw,0 8"})
    EXPECT_FALSE(parse_concise(bad)) << bad;
}

TEST(QuotedWords, HaveNoKeys) {
  EXPECT_EQ(quoted("ignore_corruption"), "'ignore_corruption'");
  EXPECT_EQ(quoted("18446744073709551615"), "'18446744073709551615'");
  EXPECT_EQ(quoted("c0ffee00c0ffee0"), "'c0ffee00c0ffee0'");
  EXPECT_EQ(quoted("c0ffee00c0ffee00"), "'(16 hexadecimal digits)'");
  EXPECT_EQ(quoted(":32:fd:c0ffee00C0FFEE00"), "':32:fd:(16 hexadecimal digits)'");
  EXPECT_EQ(quoted("000000000000000000000"), "'(21 hexadecimal digits)'");
  EXPECT_EQ(quoted("hmac(sha256):c0ffee00c0ffee00,"), "'hmac(sha256):(16 hexadecimal digits),'");
  EXPECT_EQ(quoted("c0ffee00c0ffee00:0123456789abcdef-z"),
            "'(16 hexadecimal digits):(16 hexadecimal digits)-z'");
}

TEST(Quoted, HidesAKeyWhateverWordItIsPutInto) {
  const std::string key(32, 'f');
  for (const std::string& line : {key + "z 8 zero", "0 " + key + " zero", "0 8" + key + " zero"}) {
    const auto lines = parse_lines(line);
    ASSERT_FALSE(lines);
    EXPECT_EQ(lines.error().message().find(key), std::string::npos);
    EXPECT_NE(lines.error().message().find("hexadecimal digits"), std::string::npos);
  }
}

TEST(Arguments, NameTheWordThatIsWrong) {
  const Line line{.target = "test", .arguments = {"x", "300", "0g", "3", "a", "b"}};
  Arguments arguments(line);
  EXPECT_EQ(arguments.word("device").value(), "x");
  EXPECT_EQ(arguments.number("delay", 255).error().message(),
            "test: argument 2 (delay): '300' is not a number up to 255");
  EXPECT_EQ(arguments.bytes("salt").error().message(),
            "test: argument 3 (salt): '0g' is not hexadecimal or -");
  EXPECT_EQ(arguments.count_of_options(8).error().message(),
            "test: argument 4 (number of options): '3' is not the number of words after it, 2");
  EXPECT_EQ(arguments.end().error().message(), "test: argument 5: 'a' is one too many");
  EXPECT_TRUE(arguments.word("a"));
  EXPECT_TRUE(arguments.word("b"));
  EXPECT_TRUE(arguments.end());
  EXPECT_EQ(arguments.word("more").error().message(),
            "test: ends too early; argument 7 (more) is missing");
}

}  // namespace
}  // namespace intact::dm
