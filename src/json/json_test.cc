#include <gtest/gtest.h>

#include <intact/json/json.h>

namespace intact {
namespace {

TEST(ParseJson, KeepsKeyOrder) {
  const auto json = parse_json(R"({"b":1,"a":[true,null,"x"]})");
  ASSERT_TRUE(json);
  EXPECT_EQ(to_text(*json), R"({"b":1,"a":[true,null,"x"]})");
}

TEST(ParseJson, RefusesDuplicateKeys) {
  EXPECT_EQ(parse_json(R"({"a":1,"a":2})").error().kind(), ErrorKind::malformed);
  EXPECT_EQ(parse_json(R"({"x":{"a":1,"b":{},"a":2}})").error().kind(), ErrorKind::malformed);
  EXPECT_TRUE(parse_json(R"({"x":{"a":1},"a":2})"));
}

TEST(ParseJson, RefusesWhatIsNotOneDocument) {
  for (const char* text : {"", "{", "{}x", "{} {}", "// c\n{}", "{\"a\":\"\xff\"}", "[1,]", "nul"})
    EXPECT_EQ(parse_json(text).error().kind(), ErrorKind::malformed) << text;
  for (const std::string_view text : {std::string_view("{}\0", 3), std::string_view("{}\0{}", 5)})
    EXPECT_EQ(parse_json(text).error().kind(), ErrorKind::malformed) << "NUL";
  EXPECT_TRUE(parse_json(" {} \n"));
  EXPECT_TRUE(parse_json(R"(["\u0000"])"));
}

TEST(ParseJson, KeepsToItsLimits) {
  const JsonLimits limits{.bytes = 64, .depth = 3, .values = 8};
  EXPECT_TRUE(parse_json("[[[]]]", limits));
  EXPECT_EQ(parse_json("[[[[]]]]", limits).error().kind(), ErrorKind::limit);
  EXPECT_TRUE(parse_json("[1,2,3,4,5,6,7]", limits));
  EXPECT_EQ(parse_json("[1,2,3,4,5,6,7,8]", limits).error().kind(), ErrorKind::limit);
  EXPECT_EQ(parse_json(std::string(65, ' '), limits).error().kind(), ErrorKind::limit);
}

TEST(Members, TypesAreChecked) {
  const Json json =
      parse_json(
          R"({"s":"x","n":5,"neg":-1,"f":1.5,"o":{},"a":[],"z":null,"big":9223372036854775808})")
          .value();
  EXPECT_EQ(require_string(json, "s").value(), "x");
  EXPECT_EQ(require_string(json, "n").error().kind(), ErrorKind::malformed);
  EXPECT_EQ(require_string(json, "z").error().kind(), ErrorKind::malformed);
  EXPECT_EQ(optional_string(json, "z").value(), std::nullopt);
  EXPECT_EQ(require_uint(json, "n").value(), 5u);
  for (const char* key : {"neg", "f", "big", "s"}) EXPECT_FALSE(require_uint(json, key)) << key;
  EXPECT_TRUE(require_object(json, "o"));
  EXPECT_FALSE(require_object(json, "a"));
  EXPECT_TRUE(require_array(json, "a"));
  EXPECT_EQ(optional_array(json, "none").value(), nullptr);
}

}  // namespace
}  // namespace intact
