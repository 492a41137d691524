#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/console/format_template.h>

namespace intact::console {
namespace {

using testing::HasSubstr;

const Json kRow{{"Name", "app"},
                {"Size", 12},
                {"Config", {{"Env", {"A=b", "C=d"}}, {"Labels", {{"x.y", "z"}}}}}};

std::string render(const std::string& text, const Json& row = kRow) {
  const auto parsed = FormatTemplate::parse(text);
  if (!parsed) return "error: " + parsed.error().message();
  const auto rendered = parsed->render({row}, row);
  return rendered ? *rendered : "error: " + rendered.error().message();
}

TEST(FormatTemplate, PrintsFields) {
  EXPECT_EQ(render("{{.Name}} {{ .Size }}"), "app 12\n");
  EXPECT_EQ(render("{{.Name}}\\t{{.Size}}\\n"), "app\t12\n\n");
  EXPECT_EQ(render("{{.Config.Env}}"), "[A=b C=d]\n");
  EXPECT_EQ(render("{{.Config.Labels}}"), "map[x.y:z]\n");
  EXPECT_EQ(render("{{.Config.User}}"), "\n");
  EXPECT_EQ(render("plain"), "plain\n");
}

TEST(FormatTemplate, PrintsJsonAndMembers) {
  EXPECT_EQ(render("{{json .Config.Env}}"), "[\"A=b\",\"C=d\"]\n");
  EXPECT_EQ(render("{{json .Size}}"), "12\n");
  EXPECT_EQ(render("{{json .}}", Json{{"A", 1}}), "{\"A\":1}\n");
  EXPECT_EQ(render("{{index .Config.Labels \"x.y\"}}"), "z\n");
  EXPECT_EQ(render("{{index .Config.Env 1}}"), "C=d\n");
  EXPECT_EQ(render("{{index .Config.Env 9}}"), "\n");
  EXPECT_TRUE(FormatTemplate::parse("json")->is_json());
}

TEST(FormatTemplate, ATableHasAHeadingAndColumns) {
  const auto table = FormatTemplate::parse("table {{.Name}}\\t{{.Size}}");
  EXPECT_EQ(*table->render({kRow, Json{{"Name", "longer"}, {"Size", 3}}}, kRow),
            "NAME    SIZE\napp     12\nlonger  3\n");
}

TEST(FormatTemplate, SaysWhatItDoesNotUnderstand) {
  EXPECT_THAT(render("{{.Nonsense}}"), HasSubstr("there are Name, Size, Config"));
  EXPECT_THAT(render("{{if .Name}}x{{end}}"), HasSubstr("error"));
  EXPECT_THAT(render("{{.Name"), HasSubstr("has no }}"));
  EXPECT_THAT(render("{{Name}}"), HasSubstr("not a field"));
  EXPECT_THAT(render("{{.}}{{..}}"), HasSubstr("not a field"));
  EXPECT_THAT(FormatTemplate::parse("{{.No}}")->render({}, kRow).error().message(),
              HasSubstr("no field 'No'"));
}

TEST(FormatTemplate, HostileValuesOnlyShow) {
  EXPECT_EQ(render("{{.A}}", Json{{"A", "\x1b[2J\n\xe2\x80\xae"}}), "\\x1b[2J\\x0a\\u{202e}\n");
  EXPECT_EQ(render("{{json .A}}", Json{{"A", "\xe2\x80\xae"}}), "\"\\u202e\"\n");
}

TEST(FormatTemplate, TellsWhatItUses) {
  const auto parsed = FormatTemplate::parse("{{.OwnSize}}");
  EXPECT_TRUE(parsed->uses("OwnSize"));
  EXPECT_FALSE(parsed->uses("SharedSize"));
  EXPECT_TRUE(FormatTemplate::parse("{{json .}}")->uses("SharedSize"));
}

}  // namespace
}  // namespace intact::console
