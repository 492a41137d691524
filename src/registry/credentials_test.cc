#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <intact/base/file.h>
#include <intact/json/json.h>
#include <intact/registry/credentials.h>
#include <intact/registry/login.h>

#include "auth_file.h"
#include "helper.h"
#include "registries_conf.h"

namespace intact::registry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Result<std::optional<Credential>> no_helper(const std::string& name, const std::string&) {
  return Error(ErrorKind::io, "asked " + name);
}

/// "USER:PASSWORD" that a file has for a repository, or empty.
std::string found(const std::string& text, const std::string& repository) {
  const auto file = AuthFile::parse(as_bytes(text), "f");
  if (!file) return file.error().message();
  const auto credential = file->find(repository, no_helper);
  if (!credential) return credential.error().message();
  if (!*credential) return "";
  return (*credential)->user + ":" + std::string((*credential)->password.expose_text());
}

TEST(LoginKey, IsARegistryOrARepository) {
  EXPECT_EQ(*login_key("h.io:5000"), "h.io:5000");
  EXPECT_EQ(*login_key("https://h.io/"), "h.io");
  EXPECT_EQ(*login_key("docker://h.io/x/y"), "h.io/x/y");
  EXPECT_EQ(login_key("h io").error().message(),
            "'h io': not a registry; write HOST[:PORT], such as docker.io");
}

TEST(Login, RefusesAUserThatCannotBeSent) {
  const Credential credential{.user = "a:b", .password = {}, .identity_token = {}, .origin = ""};
  const auto done = log_in("/nowhere/auth.json", "h.io", credential, {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message(), "--username: contains a colon, which cannot be sent");
}

TEST(AuthFile, PrefersTheLongestKey) {
  // "a:1", "b:2", "c:3"
  const std::string text = R"({"auths":{"h.io":{"auth":"YTox"},"h.io/x":{"auth":"Yjoy"},)"
                           R"("h.io/x/y":{"auth":"Yzoz"},"other.io":{}}})";
  EXPECT_EQ(found(text, "h.io/x/y"), "c:3");
  EXPECT_EQ(found(text, "h.io/x/z"), "b:2");
  EXPECT_EQ(found(text, "h.io/xx"), "a:1");
  EXPECT_EQ(found(text, "h.io"), "a:1");
  EXPECT_EQ(found(text, "other.io/x"), "");
  EXPECT_EQ(found(text, "h.i"), "");
}

TEST(AuthFile, ReadsOldKeysAndDockerHub) {
  EXPECT_EQ(found(R"({"auths":{"https://h.io/v1/":{"auth":"YTox"}}})", "h.io/x"), "a:1");
  EXPECT_EQ(
      found(R"({"auths":{"https://index.docker.io/v1/":{"auth":"YTox"}}})", "docker.io/library/x"),
      "a:1");
  EXPECT_EQ(found(R"({"auths":{"h.io/other":{"auth":"YTox"}}})", "h.io/x"), "");
  // Old Dockers ended passwords with NUL.
  EXPECT_EQ(found(R"({"auths":{"h.io":{"auth":"YToxAAA="}}})", "h.io"), "a:1");
}

TEST(AuthFile, AsksHelpers) {
  const std::string text =
      R"({"credHelpers":{"h.io":"mine"},"credsStore":"all","auths":{"h.io":{"auth":"YTox"}}})";
  EXPECT_THAT(found(text, "h.io/x"), HasSubstr("asked mine"));
  EXPECT_THAT(found(text, "other.io/x"), HasSubstr("asked all"));
  EXPECT_TRUE(is_helper_name("osxkeychain"));
  for (const char* name : {"", "a/b", "..\n", "a b", "$(x)"}) EXPECT_FALSE(is_helper_name(name));
}

TEST(AuthFile, RefusesWhatItCannotRead) {
  EXPECT_EQ(found("", "h.io"), "");
  EXPECT_EQ(found("{}", "h.io"), "");
  for (const char* text : {"[]", "{", R"({"auths":[]})", R"({"auths":{"h.io":1}})",
                           R"({"auths":{"h.io":{"auth":"%%"}}})", R"({"credHelpers":1})"})
    EXPECT_THAT(found(text, "h.io"), HasSubstr("f")) << text;
  EXPECT_EQ(AuthFile::parse(as_bytes(std::string(100'000, '[')), "f").error().kind(),
            ErrorKind::limit);
  EXPECT_THAT(found(R"({"auths":{"h.io":{"auth":"c2VjcmV0%"}}})", "h.io"),
              Not(HasSubstr("c2VjcmV0")));
}

class StoredCredentials : public testing::Test {
 protected:
  Credential make(const std::string& user, const std::string& password) {
    return {.user = user,
            .password = crypto::Secret::copy_of(as_bytes(password)),
            .identity_token = {},
            .origin = "test"};
  }
  void write(const std::string& name, const std::string& text, mode_t mode = 0600) {
    ASSERT_TRUE(write_file_durably(dir_.path(name), as_bytes(text), mode));
  }
  TempDir dir_ = TempDir::create().value();
  std::string file_ = dir_.path("auth.json");
};

TEST_F(StoredCredentials, KeepWhatElseIsInTheFile) {
  write("auth.json", R"({"other":[1],"auths":{"a.io":{"auth":"YTox"}}})", 0644);
  ASSERT_TRUE(store_credential(file_, "b.io", make("b", "2:3")));
  const auto found = find_credential("b.io/x", {.auth_file = file_});
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->password.expose_text(), "2:3");
  EXPECT_EQ((*found)->origin, file_);
  struct stat st;
  ASSERT_EQ(::stat(file_.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0600u);
  ASSERT_TRUE(remove_credential(file_, "b.io"));
  EXPECT_EQ(remove_credential(file_, "b.io").error().kind(), ErrorKind::not_found);
  const auto json = parse_json(read_file(file_, 10'000).value());
  EXPECT_EQ(json->dump(), R"({"other":[1],"auths":{"a.io":{"auth":"YTox"}}})");
  EXPECT_THAT(remove_all_credentials(file_).value(), ElementsAre("a.io"));
  EXPECT_FALSE(find_credential("a.io", {.auth_file = file_}).value());
}

TEST_F(StoredCredentials, AreMadeInANewPrivateFile) {
  const std::string file = dir_.path("new/place/auth.json");
  ASSERT_TRUE(store_credential(file, "h.io", make("u", "p")));
  struct stat st;
  ASSERT_EQ(::stat(dir_.path("new/place").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0700u);
  EXPECT_EQ(stored_user(file, "h.io").value(), "u");
  EXPECT_FALSE(find_credential("h.io", {.auth_file = dir_.path("missing")}).value());
}

TEST_F(StoredCredentials, ComeFromHelpersWithoutAShell) {
  write("docker-credential-test",
        "#!/bin/sh\nread server\ncase \"$1 $server\" in\n"
        "'get h.io') printf '{\"ServerURL\":\"h.io\",\"Username\":\"u\",\"Secret\":\"s\"}' ;;\n"
        "'get token.io') printf '{\"Username\":\"<token>\",\"Secret\":\"t\"}' ;;\n"
        "'get none.io') echo 'credentials not found in native keychain'; exit 1 ;;\n"
        "*) echo \"cannot: $*\"; exit 2 ;;\nesac\n",
        0755);
  const std::string before = std::getenv("PATH");
  ::setenv("PATH", (dir_.path() + ":" + before).c_str(), 1);
  write("auth.json",
        R"({"credHelpers":{"h.io":"test","token.io":"test","none.io":"test","bad.io":"test"}})");
  const auto of = [&](const char* host) { return find_credential(host, {.auth_file = file_}); };
  const auto found = of("h.io");
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->user, "u");
  EXPECT_EQ((*found)->password.expose_text(), "s");
  EXPECT_EQ(of("token.io").value()->identity_token.expose_text(), "t");
  EXPECT_FALSE(of("none.io").value());
  const auto bad = of("bad.io");
  ASSERT_FALSE(bad);
  EXPECT_THAT(bad.error().message(), HasSubstr("cannot: get"));
  ::setenv("PATH", before.c_str(), 1);
}

TEST(RegistriesConf, FindsMirrorsByTheLongestPrefix) {
  RegistriesConf conf;
  ASSERT_TRUE(conf.add(R"(
unqualified-search-registries = ["docker.io"]
[[registry]]
location = "h.io"
insecure = true
[[registry]]
prefix = "h.io/team"
location = "inner.io/copy"
[[registry.mirror]]
location = "m1.io/x"
pull-from-mirror = "digest-only"
[[registry.mirror]]
location = "m2.io"
insecure = true
[[registry]]
prefix = "*.wild.io"
blocked = true
)",
                       "f"));
  const auto of = [&](const std::string& repository) { return conf.endpoints(repository); };
  const auto team = of("h.io/team/app").value();
  ASSERT_EQ(team.size(), 3u);
  EXPECT_EQ(team[0].repository, "m1.io/x/app");
  EXPECT_EQ(team[0].use, Endpoint::Use::digests);
  EXPECT_EQ(team[1].repository, "m2.io/app");
  EXPECT_TRUE(team[1].insecure);
  EXPECT_EQ(team[2].repository, "inner.io/copy/app");
  EXPECT_TRUE(of("h.io/teams/app").value().at(0).insecure);
  EXPECT_EQ(of("h.io/teams/app").value().at(0).repository, "h.io/teams/app");
  EXPECT_FALSE(of("h.iox/a").value().at(0).insecure);
  EXPECT_EQ(of("a.wild.io/x").error().kind(), ErrorKind::untrusted);
  EXPECT_TRUE(of("wild.io/x"));
}

TEST(RegistriesConf, RefusesWhatItCannotRead) {
  for (const char* text :
       {"[[~registry]]", "[[registry", "[\u03f1x]", "\u00e4 = 1", "registry = 1",
        "[[registry]]\ninsecure = true", "[[registry]]\nlocation = \"a\"\ninsecure = \"yes\"",
        "[[registry]]\nlocation = \"a\"\n[[registry.mirror]]\ninsecure = true",
        "[[registry]]\nlocation = \"a\"\n[[registry.mirror]]\nlocation = \"b\"\n"
        "pull-from-mirror = \"x\""}) {
    RegistriesConf conf;
    const auto added = conf.add(text, "f");
    ASSERT_FALSE(added) << text;
    EXPECT_EQ(added.error().kind(), ErrorKind::malformed) << text;
  }
  RegistriesConf conf;
  EXPECT_FALSE(conf.add("a = " + std::string(100'000, '['), "f"));
}

}  // namespace
}  // namespace intact::registry
