#include <gtest/gtest.h>

#include <intact/crypto/hash.h>
#include <intact/sign/identity.h>

#include "testing.h"

namespace intact::sign {
namespace {

const Digest kManifest = crypto::sha256(as_bytes("manifest"));
const Digest kOther = crypto::sha256(as_bytes("other"));

TEST(Identity, IsSplitAtTagAndDigest) {
  const auto plain = parse_identity("registry.example:5000/team/app");
  ASSERT_TRUE(plain) << why(plain);
  EXPECT_EQ(plain->repository, "registry.example:5000/team/app");
  EXPECT_EQ(plain->tag, "");
  const auto tagged = parse_identity("registry.example:5000/team/app:1.0");
  ASSERT_TRUE(tagged) << why(tagged);
  EXPECT_EQ(tagged->repository, "registry.example:5000/team/app");
  EXPECT_EQ(tagged->tag, "1.0");
  const auto full = parse_identity("h.example/app:1@" + kManifest.to_string());
  ASSERT_TRUE(full) << why(full);
  EXPECT_EQ(full->repository, "h.example/app");
  EXPECT_EQ(full->tag, "1");
  EXPECT_EQ(full->digest, kManifest);
  const auto bare = parse_identity("app:1");
  ASSERT_TRUE(bare) << why(bare);
  EXPECT_EQ(bare->repository, "app");
  EXPECT_EQ(bare->tag, "1");
}

TEST(Identity, RefusesWhatIsNoName) {
  for (const std::string text :
       {"", "/", "/app", "host/", "host//app", "host/../app", "./app", "host/app:", "host/a b",
        "host/a:b:c", "host/a:b/c:d", "host/app:t@", "host/app@sha256:12", "host/app\n", "host/äpp",
        "host/*", "a@b@c", "host/app:1/"})
    EXPECT_EQ(kind_of(parse_identity(text)), ErrorKind::invalid_argument) << text;
  EXPECT_TRUE(parse_identity(std::string(kMaxIdentitySize, 'a')));
  EXPECT_FALSE(parse_identity(std::string(kMaxIdentitySize + 1, 'a')));
}

TEST(IdentityPattern, Matches) {
  const std::pair<const char*, const char*> yes[] = {
      {"registry.example/app", "registry.example/app"},
      {"registry.example/app", "registry.example/app:1.0"},
      {"registry.example/app:1.0", "registry.example/app:1.0"},
      {"registry.example/app:1.*", "registry.example/app:1.0"},
      {"registry.example/app:*", "registry.example/app:x"},
      {"registry.example/*", "registry.example/app"},
      {"registry.example/a*p", "registry.example/ap"},
      {"registry.example/a*b*c", "registry.example/abbbbc"},
      {"registry.example/team-*/app", "registry.example/team-a/app"},
      {"registry.example/**", "registry.example/a"},
      {"registry.example/**", "registry.example/a/b/c:1"},
      {"registry.example/**/app", "registry.example/a/b/app"},
      {"*.example/app", "registry.example/app"},
      {"localhost:*/app", "localhost:5000/app"},
      {"localhost:5000/app:1", "localhost:5000/app:1"},
  };
  for (const auto& [pattern, identity] : yes) {
    EXPECT_TRUE(check_identity_pattern(pattern)) << pattern;
    EXPECT_TRUE(matches_pattern(pattern, identity)) << pattern << " " << identity;
  }
}

TEST(IdentityPattern, DoesNotMatchNeighbours) {
  const std::pair<const char*, const char*> no[] = {
      {"registry.example/app", "registry.example/apple"},
      {"registry.example/app", "registry.example/app/sub"},
      {"registry.example/app", "registry.example"},
      {"registry.example/app", "registry.example.evil/app"},
      {"registry.example/app", "REGISTRY.example/app"},
      {"registry.example/app", ""},
      {"registry.example/app:1.0", "registry.example/app"},
      {"registry.example/app:1.0", "registry.example/app:1.1"},
      {"registry.example/app:1.*", "registry.example/app:2.0"},
      {"registry.example/*", "registry.example/team/app"},
      {"registry.example/*", "registry.example"},
      {"registry.example/**", "registry.example"},
      {"registry.example/**/app", "registry.example/app"},
      {"registry.example/team/*", "registry.example/teams/app"},
      {"*.example/app", "evil.org/x.example/app"},
      {"*.example/app", "registry.example:5000/app"},
      {"registry.example*/app", "registry.example:5000/app"},
      {"*/app", "a/b/app"},
      {"**/app", "a/app"},
      {"registry.example/app", "registry.example/app\n"},
  };
  for (const auto& [pattern, identity] : no)
    EXPECT_FALSE(matches_pattern(pattern, identity)) << pattern << " " << identity;
}

// Everybody writes Docker Hub's names differently.
TEST(Identity, DockerHubsSpellingsAreOneName) {
  for (const char* name : {"alpine", "docker.io/alpine", "index.docker.io/alpine", "library/alpine",
                           "docker.io/library/alpine", "index.docker.io/library/alpine"})
    EXPECT_EQ(canonical_repository(name), "docker.io/library/alpine") << name;
  for (const char* name : {"me/x", "docker.io/me/x", "index.docker.io/me/x"})
    EXPECT_EQ(canonical_repository(name), "docker.io/me/x") << name;
  for (const char* name : {"localhost/x", "registry.example/x", "host:5000/x", "Host/x", "*/x",
                           "docker.io/**", "index.docker.io.evil/x", "xdocker.io/x",
                           "registry.example/docker.io/x", "registry.example/library/x"})
    EXPECT_EQ(canonical_repository(name), name);
  EXPECT_EQ(canonical_repository("index.docker.io/**"), "docker.io/**");

  const std::string spellings[] = {
      "alpine:3",         "docker.io/alpine:3",         "index.docker.io/alpine:3",
      "library/alpine:3", "docker.io/library/alpine:3", "index.docker.io/library/alpine:3"};
  for (const std::string& identity : spellings) {
    for (const std::string& other : spellings) {
      EXPECT_TRUE(identity_allows_name(identity, other, kManifest)) << identity << " " << other;
      EXPECT_TRUE(matches_pattern(other, identity)) << identity << " " << other;
    }
    EXPECT_TRUE(matches_pattern("docker.io/**", identity));
    EXPECT_TRUE(matches_pattern("index.docker.io/library/*", identity));
    EXPECT_FALSE(matches_pattern("docker.io/me/*", identity));
    EXPECT_FALSE(matches_pattern("registry.example/**", identity));
    for (const char* name : {"docker.io/alpine:4", "docker.io/me/alpine:3", "me/alpine:3",
                             "registry.example/alpine:3", "registry.example/library/alpine:3"})
      EXPECT_FALSE(identity_allows_name(identity, name, kManifest)) << identity << " " << name;
  }
  EXPECT_FALSE(identity_allows_name("registry.example/alpine", "docker.io/alpine", kManifest));
  EXPECT_FALSE(matches_pattern("alpine", "registry.example/alpine"));
}

TEST(IdentityPattern, SuspicionsAreExplained) {
  for (const char* fine : {"registry.example/team/*", "registry.example/**", "docker.io/me/*",
                           "registry.example/team/app", "localhost:5000/app", "r.example/app:1.*",
                           "r.example/team-*", "r.example/*/app"})
    EXPECT_EQ(suspicion_about_pattern(fine), "") << fine;
  for (const auto& [pattern, hint] :
       {std::pair{"*", "--any"}, std::pair{"app", "Docker Hub"},
        std::pair{"registry.example", "'registry.example/**'"},
        std::pair{"registry.example/team*", "'registry.example/team/*'"},
        std::pair{"*/app", "any host"}, std::pair{"*/team/app", "any host"},
        std::pair{"*.example/**", "any host that fits '*.example'"},
        std::pair{"me/x", "Docker Hub"}}) {
    ASSERT_TRUE(check_identity_pattern(pattern)) << pattern;
    EXPECT_NE(suspicion_about_pattern(pattern).find(hint), std::string::npos)
        << pattern << ": " << suspicion_about_pattern(pattern);
  }
  EXPECT_EQ(describe_pattern("me/x:1"), "docker.io/me/x:1");
  EXPECT_EQ(describe_pattern("registry.example/team/*"), "registry.example/team/* with any tag");
}

TEST(IdentityPattern, KnowsWhatRestrictsNothing) {
  for (const char* pattern :
       {"*/**", "*/*", "*/*/**", "*/**/*", "*.*/**", "*:*/**", "*/**:*", "*.*.*:*/*/*"}) {
    ASSERT_TRUE(check_identity_pattern(pattern)) << pattern;
    EXPECT_TRUE(matches_any_registry(pattern)) << pattern;
  }
  for (const char* pattern : {"*", "r.example/**", "*/app", "*.example/**", "*/**/app", "*/**:1",
                              "docker.io/**", "*1/**"}) {
    EXPECT_FALSE(matches_any_registry(pattern)) << pattern;
  }
}

TEST(IdentityPattern, RefusesWhatCouldMeanSomethingElse) {
  for (const char* pattern : {"", "**", "**/app", "registry.example/a**", "registry.example/app:**",
                              "registry.example/", "registry.example/app:", "registry.example/[ab]",
                              "registry.example/app?", "registry.example/app@sha256:12", "h/a b"})
    EXPECT_EQ(kind_of(check_identity_pattern(pattern)), ErrorKind::invalid_argument) << pattern;
}

// Every star could be tried against every position: the time must not multiply with each.
TEST(IdentityPattern, IsQuickForPatternsMadeToBeSlow) {
  std::string pattern = "h/";
  for (int i = 0; i < 300; ++i) pattern += "a*";
  EXPECT_FALSE(matches_pattern(pattern + "b", "h/" + std::string(1000, 'a')));
  EXPECT_TRUE(matches_pattern(pattern, "h/" + std::string(1000, 'a')));
  std::string deep = "h";
  for (int i = 0; i < 200; ++i) deep += "/**/a";
  std::string name = "h";
  for (int i = 0; i < 500; ++i) name += "/a";
  EXPECT_TRUE(matches_pattern(deep, name));
  EXPECT_FALSE(matches_pattern(deep + "/b", name));
}

TEST(IdentityName, TheSameImage) {
  for (const auto& [identity, name] : {
           std::pair{"r.example/app", "r.example/app"},
           std::pair{"r.example/app", "r.example/app:1"},
           std::pair{"r.example/app:1", "r.example/app:1"},
           std::pair{"r.example:5000/team/app:1", "r.example:5000/team/app:1"},
           std::pair{"r.example/team/app:1", "team/app:1"},
           std::pair{"r.example/team/app", "team/app"},
           std::pair{"team/app", "team/app"},
           std::pair{"localhost/app", "localhost/app"},
           // Local aliases and images that were signed without a name.
           std::pair{"r.example/app:1", "demo"},
           std::pair{"r.example/app:1", "demo:2"},
           std::pair{"r.example/app:1", ""},
           std::pair{"", "r.example/app:1"},
           std::pair{"", "demo"},
       })
    EXPECT_TRUE(identity_allows_name(identity, name, kManifest)) << identity << " as " << name;
}

TEST(IdentityName, AnotherImage) {
  for (const auto& [identity, name] : {
           std::pair{"r.example/app", "r.example/other"},
           std::pair{"r.example/app", "q.example/app"},
           std::pair{"r.example/app:1", "r.example/app:2"},
           std::pair{"r.example/app:1", "r.example/app"},
           std::pair{"r.example/app", "r.example/team/app"},
           std::pair{"r.example/team/app", "r.example/app"},
           std::pair{"x/r.example/app", "r.example/app"},
           std::pair{"r.example/xteam/app", "team/app"},
           std::pair{"r.example/team/app:1", "team/app:2"},
           std::pair{"team/app", "r.example/team/app"},
           std::pair{"demo", "r.example/demo"},
           std::pair{"not a name", "demo"},
           std::pair{"r.example/app", "r.example/app name"},
       })
    EXPECT_FALSE(identity_allows_name(identity, name, kManifest)) << identity << " as " << name;
}

TEST(IdentityName, DigestsMustBeTheManifests) {
  const std::string app = "r.example/app";
  const std::string good = app + "@" + kManifest.to_string();
  const std::string bad = app + "@" + kOther.to_string();
  EXPECT_TRUE(identity_allows_name(app, good, kManifest));
  EXPECT_TRUE(identity_allows_name(good, app, kManifest));
  EXPECT_TRUE(identity_allows_name(good, "demo", kManifest));
  EXPECT_FALSE(identity_allows_name(app, bad, kManifest));
  EXPECT_FALSE(identity_allows_name(bad, app, kManifest));
  EXPECT_FALSE(identity_allows_name(bad, "demo", kManifest));
}

}  // namespace
}  // namespace intact::sign
