#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/base/file.h>
#include <intact/run/options.h>

namespace intact::run {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;

TEST(ParseVolume, TakesSourceDestinationAndMode) {
  const auto plain = parse_volume("/a/b:/c");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->source, "/a/b");
  EXPECT_EQ(plain->destination, "/c");
  EXPECT_FALSE(plain->read_only);
  EXPECT_TRUE(parse_volume("/a:/c:ro")->read_only);
  EXPECT_FALSE(parse_volume("/a:/c:rw")->read_only);
}

TEST(ParseVolume, TakesPodmansOptions) {
  EXPECT_TRUE(parse_volume("/a:/c:ro,z")->read_only);
  EXPECT_FALSE(parse_volume("/a:/c:Z")->read_only);
  EXPECT_TRUE(parse_volume("/a:/c:noexec,rprivate")->no_exec);
}

TEST(Limits, HavePodmansSyntax) {
  for (const auto& [text, bytes] : {std::pair{"4096", 4096ULL},
                                    {"1b", 1ULL},
                                    {"2k", 2048ULL},
                                    {"512m", 512ULL << 20},
                                    {"1.5g", 3ULL << 29},
                                    {"1GiB", 1ULL << 30},
                                    {"1kb", 1024ULL}})
    EXPECT_EQ(*parse_bytes("--memory", text), bytes) << text;
  for (const char* text : {"", "m", "-1", "1x", "1bb", "1e3", "99999999t", "0x10", "1 m"})
    EXPECT_FALSE(parse_bytes("--memory", text)) << text;
  EXPECT_EQ(*parse_cpus("1.5"), 150'000u);
  EXPECT_EQ(*parse_cpus("0.01"), 1000u);
  for (const char* text : {"0", "", "x", "-1", "1c"}) EXPECT_FALSE(parse_cpus(text)) << text;
  EXPECT_EQ(*parse_pids("100"), 100u);
  EXPECT_EQ(*parse_pids("-1"), 0u);
  for (const char* text : {"", "x", "-2", "99999999999"}) EXPECT_FALSE(parse_pids(text)) << text;
}

TEST(EnvFile, IsReadAsPodmanDoes) {
  const auto variables = parse_env_file("# comment\n\nA=1 # kept\n  B=\nC\r\n");
  ASSERT_TRUE(variables);
  EXPECT_THAT(*variables, ElementsAre("A=1 # kept", "B=", "C"));
  for (const char* text : {"=x", "a b=1", "A=1\n=2"}) EXPECT_FALSE(parse_env_file(text)) << text;
}

TEST(Limits, OfWritablePlacesAreNotZero) {
  EXPECT_EQ(*parse_writable_size("64m"), 64ULL << 20);
  EXPECT_EQ(*parse_tmpfs_size("1g"), 1ULL << 30);
  for (const char* zero : {"0", "0m", "0.5b"}) {
    EXPECT_EQ(parse_writable_size(zero).error().message(),
              "--rw-size 0: leave out --rw for a read-only root");
    EXPECT_EQ(parse_tmpfs_size(zero).error().message(),
              "--tmpfs-size 0: not a limit; give the size that you need");
  }
  EXPECT_EQ(parse_writable_size("much").error().kind(), ErrorKind::invalid_argument);
  EXPECT_EQ(parse_tmpfs_size("much").error().message(),
            "--tmpfs-size much: not a size; use a number of bytes, or a unit as in 512m or 2g");
}

TEST(OptionTexts, AreParsedTogether) {
  RunOptions options;
  ASSERT_TRUE(read_texts({.network = "host", .volumes = {"/a:/b"}, .rw_size = "64m"}, options));
  EXPECT_EQ(options.network, Network::host);
  EXPECT_EQ(options.volumes.size(), 1u);
  EXPECT_TRUE(options.writable);
  EXPECT_EQ(options.writable_size, 64ULL << 20);
  EXPECT_FALSE(options.runtime);
  const auto bad = read_texts({.network = "all"}, options);
  ASSERT_FALSE(bad);
  EXPECT_THAT(bad.error().message(), testing::HasSubstr("--network all"));
}

TEST(EnvFile, IsNamedInErrors) {
  const TempDir dir = *TempDir::create();
  ASSERT_TRUE(write_file_durably(dir.path("good"), as_bytes("A=1\nB\n"), 0600));
  ASSERT_TRUE(write_file_durably(dir.path("bad"), as_bytes("A=1\n=2\n"), 0600));
  EXPECT_THAT(*read_env_file(dir.path("good")), ElementsAre("A=1", "B"));
  const auto bad = read_env_file(dir.path("bad"));
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().kind(), ErrorKind::invalid_argument);
  EXPECT_EQ(bad.error().message(), dir.path("bad") + ": line 2: not of the form NAME[=VALUE]");
  EXPECT_EQ(read_env_file(dir.path("none")).error().kind(), ErrorKind::not_found);
}

TEST(ParseVolume, CleansPaths) {
  EXPECT_EQ(parse_volume("/a/../b//c/:/d/./e/")->source, "/b/c");
  EXPECT_EQ(parse_volume("/a:/d/./e/../f/")->destination, "/d/f");
  EXPECT_EQ(parse_volume("./x:/d")->source.front(), '/');
}

TEST(ParseVolume, RefusesWhatIsNotMeant) {
  for (const char* text : {"", "/a", "name:/c", ":/c", "/a:", "/a:c", "/a:/", "/a:/b/..",
                           "/a:/b:rx", "/a:/b:ro:z", "/a:/b:", "/a:/b:ro,", "/a:/b:suid"})
    EXPECT_FALSE(parse_volume(text)) << text;
}

TEST(Arguments, CommandReplacesCmdBehindEntrypoint) {
  const ProcessImage image{.entrypoint = {"/entry"}, .cmd = {"a", "b"}};
  EXPECT_THAT(*make_arguments(image, {}), ElementsAre("/entry", "a", "b"));
  EXPECT_THAT(*make_arguments(image, {.command = {"c"}}), ElementsAre("/entry", "c"));
  EXPECT_THAT(*make_arguments(image, {.entrypoint = "/other"}), ElementsAre("/other"));
  EXPECT_THAT(*make_arguments(image, {.entrypoint = "", .command = {"c"}}), ElementsAre("c"));
}

TEST(Arguments, AnEmptyEntrypointIsNone) {
  const ProcessImage image{.entrypoint = {""}, .cmd = {"a"}};
  EXPECT_THAT(*make_arguments(image, {}), ElementsAre("a"));
  EXPECT_THAT(*make_arguments(image, {.command = {"c", "d"}}), ElementsAre("c", "d"));
  EXPECT_FALSE(make_arguments({.entrypoint = {"", "x"}}, {}));
}

TEST(Arguments, MustNameACommand) {
  EXPECT_EQ(make_arguments({}, {}).error().kind(), ErrorKind::invalid_argument);
  EXPECT_FALSE(make_arguments({.cmd = {""}}, {}));
  EXPECT_FALSE(make_arguments({.entrypoint = {""}}, {}));
  EXPECT_FALSE(make_arguments({.cmd = {std::string("a\0b", 3)}}, {}));
}

std::optional<std::string> host_variable(const std::string& name) {
  if (name == "SECRET") return "hunter2";
  if (name == "SET") return "from host";
  return std::nullopt;
}

TEST(Environment, LaterOnesReplaceEarlierOnes) {
  const ProcessImage image{.env = {"A=1", "B=2", "PATH=/image"}};
  const auto environment =
      make_environment(image, {.env = {"B=3", "C="}}, "/root", "box", host_variable);
  ASSERT_TRUE(environment);
  EXPECT_THAT(*environment, ElementsAre("PATH=/image", "container=intact", "A=1", "B=3",
                                        "C=", "HOME=/root", "HOSTNAME=box"));
}

TEST(Environment, NamedVariablesComeFromTheCallerAndNoOthersDo) {
  const auto environment =
      make_environment({}, {.env = {"SET", "UNSET"}}, "/", "box", host_variable);
  ASSERT_TRUE(environment);
  EXPECT_THAT(*environment, Contains("SET=from host"));
  for (const auto& variable : *environment) {
    EXPECT_THAT(variable, Not(testing::HasSubstr("hunter2")));
    EXPECT_THAT(variable, Not(testing::StartsWith("UNSET")));
  }
}

TEST(Environment, ImageMayNotSmuggleBrokenVariables) {
  const ProcessImage image{.env = {"novalue", "=x", "A=1"}};
  const auto environment = make_environment(image, {}, "/", "box", nullptr);
  ASSERT_TRUE(environment);
  EXPECT_THAT(*environment, Not(Contains("novalue")));
  EXPECT_THAT(*environment, Not(Contains("=x")));
  EXPECT_THAT(*environment, Contains("A=1"));
  EXPECT_FALSE(make_environment({.env = {std::string("A=\0", 3)}}, {}, "/", "box", nullptr));
  EXPECT_FALSE(make_environment({}, {.env = {"=x"}}, "/", "box", nullptr));
}

TEST(Environment, HomeOfTheImageStays) {
  const auto environment = make_environment({.env = {"HOME=/srv"}}, {}, "/root", "box", nullptr);
  EXPECT_EQ(find_variable(*environment, "HOME"), "/srv");
  EXPECT_EQ(find_variable(*environment, "HOM"), std::nullopt);
}

}  // namespace
}  // namespace intact::run
