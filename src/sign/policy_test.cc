#include <cstdlib>
#include <thread>

#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <intact/base/file.h>
#include <intact/crypto/hash.h>
#include <intact/json/json.h>
#include <intact/sign/policy.h>

#include "testing.h"

namespace intact::sign {
namespace {

const Digest kOne = crypto::sha256(as_bytes("one"));
const Digest kTwo = crypto::sha256(as_bytes("two"));

Rule rule(const char* pub, std::optional<std::string> pattern = {}, std::vector<Digest> pins = {}) {
  return {.key = golden_public(pub), .identity_pattern = std::move(pattern), .pins = pins};
}

TEST(Policy, SurvivesItsText) {
  Policy policy;
  ASSERT_TRUE(policy.add(rule("cosign.pub", "registry.example/team/*")));
  ASSERT_TRUE(policy.add(rule("cosign.pub", "registry.example/tool:1", {kOne, kTwo})));
  ASSERT_TRUE(policy.add(rule("ed25519.pub")));
  policy.revoke(kTwo);
  const auto again = Policy::parse(as_bytes(policy.to_text()));
  ASSERT_TRUE(again) << why(again);
  EXPECT_EQ(again->to_text(), policy.to_text());
  ASSERT_EQ(again->rules().size(), 3U);
  EXPECT_EQ(again->rules()[0].identity_pattern, "registry.example/team/*");
  EXPECT_EQ(again->rules()[1].pins, (std::vector{kOne, kTwo}));
  EXPECT_EQ(again->rules()[2].fingerprint(), golden_public("ed25519.pub").fingerprint());
  EXPECT_TRUE(again->is_revoked(kTwo));
  EXPECT_FALSE(again->is_revoked(kOne));
}

TEST(Policy, AddsPinsToTheRuleThatIsThere) {
  Policy policy;
  ASSERT_TRUE(policy.add(rule("cosign.pub", {}, {kOne})));
  ASSERT_TRUE(policy.add(rule("cosign.pub", {}, {kOne, kTwo})));
  ASSERT_EQ(policy.rules().size(), 1U);
  EXPECT_EQ(policy.rules()[0].pins, (std::vector{kOne, kTwo}));
  // Adding neither widens nor narrows the rule that is there.
  EXPECT_EQ(kind_of(policy.add(rule("cosign.pub"))), ErrorKind::exists);
  ASSERT_TRUE(policy.add(rule("ed25519.pub")));
  ASSERT_TRUE(policy.add(rule("ed25519.pub")));
  EXPECT_EQ(kind_of(policy.add(rule("ed25519.pub", {}, {kOne}))), ErrorKind::exists);
  EXPECT_EQ(policy.rules().size(), 2U);
  EXPECT_EQ(kind_of(policy.add(rule("cosign.pub", "a b"))), ErrorKind::invalid_argument);
  EXPECT_EQ(kind_of(policy.add(rule("cosign.pub", ""))), ErrorKind::invalid_argument);
}

TEST(Policy, RemovesOnlyTheRuleThatIsMeant) {
  using Which = RuleSelection::Which;
  Policy policy;
  ASSERT_TRUE(policy.add(rule("cosign.pub", "registry.example/a")));
  ASSERT_TRUE(policy.add(rule("cosign.pub", "registry.example/b")));
  ASSERT_TRUE(policy.add(rule("cosign.pub")));
  EXPECT_EQ(kind_of(policy.remove("8510ef", {Which::pattern, "registry.example/c"})),
            ErrorKind::not_found);
  ASSERT_TRUE(policy.remove("8510ef", {Which::pattern, "registry.example/a"}));
  ASSERT_EQ(policy.rules().size(), 2U);
  EXPECT_EQ(policy.rules()[0].identity_pattern, "registry.example/b");
  ASSERT_TRUE(policy.remove("8510ef", {Which::any_identity, ""}));
  ASSERT_EQ(policy.rules().size(), 1U);
  EXPECT_TRUE(policy.rules()[0].identity_pattern);
  EXPECT_EQ(kind_of(policy.remove("8510ef", {Which::any_identity, ""})), ErrorKind::not_found);
  ASSERT_TRUE(policy.remove("8510ef"));
  EXPECT_TRUE(policy.rules().empty());
}

TEST(Policy, KeysHaveLabels) {
  Policy policy;
  Rule named = rule("cosign.pub", "registry.example/a");
  named.label = "Build server";
  ASSERT_TRUE(policy.add(named));
  ASSERT_TRUE(policy.add(rule("ed25519.pub")));
  const std::string fingerprint = golden_public("cosign.pub").fingerprint();
  EXPECT_EQ(policy.label_of(fingerprint), "Build server");
  EXPECT_EQ(policy.label_of(golden_public("ed25519.pub").fingerprint()), "");
  const auto again = Policy::parse(as_bytes(policy.to_text()));
  ASSERT_TRUE(again) << why(again);
  EXPECT_EQ(again->label_of(fingerprint), "Build server");
  // Adding the rule again keeps its label or changes it.
  ASSERT_TRUE(policy.add(rule("cosign.pub", "registry.example/a")));
  EXPECT_EQ(policy.label_of(fingerprint), "Build server");
  named.label = "CI";
  ASSERT_TRUE(policy.add(named));
  EXPECT_EQ(policy.label_of(fingerprint), "CI");
  ASSERT_TRUE(policy.remove("CI"));
  EXPECT_EQ(policy.rules().size(), 1U);
  for (const char* bad : {" x", "x ", "a\x1b[2Jb", "a\nb", "\xff",
                          "a\xe2\x80\xae"
                          "b"})
    EXPECT_EQ(kind_of(check_label(bad)), ErrorKind::invalid_argument) << bad;
  EXPECT_TRUE(check_label(std::string(kMaxLabelSize, 'x')));
  EXPECT_FALSE(check_label(std::string(kMaxLabelSize + 1, 'x')));
  EXPECT_TRUE(check_label("Grüße"));
}

TEST(Policy, RemovesAKeyWithAllItsRules) {
  Policy policy;
  ASSERT_TRUE(policy.add(rule("cosign.pub", "registry.example/a")));
  ASSERT_TRUE(policy.add(rule("ed25519.pub")));
  ASSERT_TRUE(policy.add(rule("cosign.pub", "registry.example/b")));
  EXPECT_EQ(kind_of(policy.remove("")), ErrorKind::invalid_argument);
  EXPECT_EQ(kind_of(policy.remove("sha256:")), ErrorKind::invalid_argument);
  EXPECT_EQ(kind_of(policy.remove("zzzz")), ErrorKind::not_found);
  EXPECT_EQ(policy.rules().size(), 3U);
  const auto removed = policy.remove("sha256:8510ef");
  ASSERT_TRUE(removed) << why(removed);
  EXPECT_EQ(*removed, golden_public("cosign.pub").fingerprint());
  ASSERT_EQ(policy.rules().size(), 1U);
  EXPECT_EQ(kind_of(policy.remove("8510ef")), ErrorKind::not_found);
}

TEST(Policy, RefusesToRemoveWhatCouldBeSeveralKeys) {
  // Enough keys for two whose fingerprints start with the same digit.
  Policy policy;
  for (int i = 0; i < 17; ++i)
    ASSERT_TRUE(
        policy.add({.key = generate_key().public_key(), .identity_pattern = {}, .pins = {}}));
  int ambiguous = 0;
  for (const char digit : std::string("0123456789abcdef")) {
    Policy copy = policy;
    const auto removed = copy.remove(std::string(1, digit));
    if (!removed && removed.error().kind() == ErrorKind::invalid_argument) {
      ++ambiguous;
      EXPECT_EQ(copy.rules().size(), policy.rules().size());
    }
  }
  EXPECT_GT(ambiguous, 0);
}

TEST(Policy, TakesRevocationsBack) {
  Policy policy;
  policy.revoke(kOne);
  policy.revoke(kOne);
  EXPECT_EQ(policy.revoked().size(), 1U);
  EXPECT_EQ(kind_of(policy.unrevoke(kTwo)), ErrorKind::not_found);
  EXPECT_TRUE(policy.unrevoke(kOne));
  EXPECT_FALSE(policy.is_revoked(kOne));
}

// Two files have a rule for the same key: the pins of one say nothing about the other.
TEST(Policy, KeepsTheRulesOfSeveralFilesApart) {
  Policy system, user;
  ASSERT_TRUE(system.add(rule("cosign.pub", {}, {kOne})));
  system.revoke(kOne);
  ASSERT_TRUE(user.add(rule("cosign.pub", {}, {kTwo})));
  user.revoke(kTwo);
  system.append(user);
  ASSERT_EQ(system.rules().size(), 2U);
  EXPECT_EQ(system.rules()[0].pins, std::vector{kOne});
  EXPECT_EQ(system.rules()[1].pins, std::vector{kTwo});
  EXPECT_TRUE(system.is_revoked(kOne) && system.is_revoked(kTwo));
}

TEST(Policy, RefusesTextsThatCouldMeanLessThanTheySay) {
  Policy policy;
  ASSERT_TRUE(policy.add(rule("cosign.pub", "registry.example/a", {kOne})));
  const Json good = *parse_json(policy.to_text());
  const auto changed = [&](const char* pointer, const Json& value) {
    Json bad = good;
    bad[Json::json_pointer(pointer)] = value;
    return kind_of(Policy::parse(as_bytes(to_text(bad))));
  };
  ASSERT_TRUE(Policy::parse(as_bytes(to_text(good))));
  EXPECT_EQ(changed("/version", 2), ErrorKind::unsupported);
  EXPECT_EQ(changed("/version", nullptr), ErrorKind::malformed);
  EXPECT_EQ(changed("/expires", "never"), ErrorKind::unsupported);
  EXPECT_EQ(changed("/rules/0/expires", "never"), ErrorKind::unsupported);
  EXPECT_EQ(changed("/rules/0/fingerprint", golden_public("rsa.pub").fingerprint()),
            ErrorKind::malformed);
  EXPECT_EQ(changed("/rules/0/fingerprint", nullptr), ErrorKind::malformed);
  EXPECT_EQ(changed("/rules/0/key", "no key"), ErrorKind::malformed);
  EXPECT_EQ(changed("/rules/0/identity", "a b"), ErrorKind::malformed);
  EXPECT_EQ(changed("/rules/0/pins/0", "sha256:12"), ErrorKind::malformed);
  EXPECT_EQ(changed("/rules/0/pins", "sha256:12"), ErrorKind::malformed);
  EXPECT_EQ(changed("/rules/0", "x"), ErrorKind::malformed);
  EXPECT_EQ(changed("/revoked", Json::array({1})), ErrorKind::malformed);
  EXPECT_EQ(kind_of(Policy::parse(as_bytes("[]"))), ErrorKind::malformed);
  EXPECT_EQ(kind_of(Policy::parse({})), ErrorKind::malformed);
  // Two rules for one thing, of which one would end the pinning of the other.
  Json two = good;
  two["rules"].push_back(good["rules"][0]);
  EXPECT_TRUE(Policy::parse(as_bytes(to_text(two))));
  two["rules"][1].erase("pins");
  EXPECT_EQ(kind_of(Policy::parse(as_bytes(to_text(two)))), ErrorKind::malformed);
  EXPECT_TRUE(Policy::parse(as_bytes(R"({"version":1})")));
}

// "Any" is said by leaving a member out, and in no other way: every member is set to every type.
TEST(Policy, NothingEmptyOrOfAnotherTypeMeansAny) {
  Policy policy;
  Rule full = rule("cosign.pub", "registry.example/a", {kOne});
  full.label = "label";
  ASSERT_TRUE(policy.add(full));
  policy.revoke(kTwo);
  const Json good = *parse_json(policy.to_text());
  const Json values[] = {nullptr,
                         "",
                         0,
                         1.5,
                         true,
                         false,
                         Json::array(),
                         Json::object(),
                         "x y",
                         Json::array({""}),
                         Json::array({nullptr}),
                         Json::array({Json::array()}),
                         Json::array({1}),
                         {{"a", 1}}};
  for (const char* pointer :
       {"/version", "/rules", "/revoked", "/rules/0", "/rules/0/key", "/rules/0/fingerprint",
        "/rules/0/label", "/rules/0/identity", "/rules/0/pins", "/rules/0/pins/0", "/revoked/0"}) {
    for (const Json& value : values) {
      Json bad = good;
      bad[Json::json_pointer(pointer)] = value;
      const std::string text = to_text(bad);
      const auto parsed = Policy::parse(as_bytes(text));
      // No rules trust nothing, and no revocations are what they say; a label is only a name.
      const bool is_plain_list =
          value == Json::array() &&
          (std::string_view(pointer) == "/rules" || std::string_view(pointer) == "/revoked");
      const bool is_label = value == "x y" && std::string_view(pointer) == "/rules/0/label";
      EXPECT_EQ(static_cast<bool>(parsed), is_plain_list || is_label) << text;
      if (!parsed) {
        EXPECT_NE(parsed.error().kind(), ErrorKind::invalid_argument) << text;
      }
    }
  }
  for (const char* member : {"identity", "pins", "label"}) {
    Json without = good;
    without["rules"][0].erase(member);
    EXPECT_TRUE(Policy::parse(as_bytes(to_text(without)))) << member;
  }
}

class PolicyFileTest : public testing::Test {
 protected:
  TempDir dir_ = *TempDir::create();
  const std::string file_ = dir_.path("etc/intact/policy.json");

  Result<void> add(const char* pub) {
    return edit_policy(file_, [&](Policy& policy) { return policy.add(rule(pub)); });
  }
};

TEST_F(PolicyFileTest, IsMadeAndChanged) {
  EXPECT_EQ(kind_of(Policy::load(file_)), ErrorKind::not_found);
  ASSERT_TRUE(add("cosign.pub"));
  ASSERT_TRUE(add("ed25519.pub"));
  struct stat st{};
  ASSERT_EQ(::stat(file_.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0644U);
  const auto policy = Policy::load(file_);
  ASSERT_TRUE(policy) << why(policy);
  EXPECT_EQ(policy->rules().size(), 2U);
}

TEST_F(PolicyFileTest, StaysAsItWasWhenAChangeFails) {
  ASSERT_TRUE(add("cosign.pub"));
  const Bytes before = *read_file(file_, 1 << 20);
  EXPECT_EQ(kind_of(edit_policy(file_,
                                [](Policy& policy) -> Result<void> {
                                  policy = Policy();
                                  return Error(ErrorKind::not_found, "no");
                                })),
            ErrorKind::not_found);
  EXPECT_TRUE(equal(*read_file(file_, 1 << 20), before));
  // Nor is a file replaced that we do not understand.
  ASSERT_TRUE(write_file_durably(file_, as_bytes("{\"version\":9}"), 0644));
  EXPECT_EQ(kind_of(add("ed25519.pub")), ErrorKind::unsupported);
  EXPECT_EQ(as_text(*read_file(file_, 100)), "{\"version\":9}");
}

TEST_F(PolicyFileTest, ConcurrentChangesAllCount) {
  constexpr int kThreads = 8;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back([&, i] {
      const auto edited = edit_policy(file_, [&](Policy& policy) -> Result<void> {
        policy.revoke(crypto::sha256(as_bytes(std::to_string(i))));
        return {};
      });
      EXPECT_TRUE(edited) << why(edited);
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Policy::load(file_)->revoked().size(), std::size_t{kThreads});
}

TEST_F(PolicyFileTest, IsNotBelievedIfAnybodyMayWriteIt) {
  ASSERT_TRUE(add("cosign.pub"));
  ASSERT_TRUE(Policy::load(file_));
  ASSERT_EQ(::chmod(file_.c_str(), 0646), 0);
  EXPECT_EQ(kind_of(Policy::load(file_)), ErrorKind::untrusted);
  EXPECT_EQ(kind_of(Policy::load(dir_.path())), ErrorKind::invalid_argument);
  ASSERT_EQ(::chmod(file_.c_str(), 0644), 0);
  ASSERT_TRUE(Policy::load(file_));
  // Nor if anybody may replace it, be it through a directory further up.
  for (const char* directory : {"etc", "etc/intact"}) {
    ASSERT_EQ(::chmod(dir_.path(directory).c_str(), 0777), 0);
    EXPECT_EQ(kind_of(Policy::load(file_)), ErrorKind::untrusted) << directory;
    EXPECT_EQ(kind_of(add("ed25519.pub")), ErrorKind::untrusted) << directory;
    ASSERT_EQ(::chmod(dir_.path(directory).c_str(), 0755), 0);
  }
  EXPECT_EQ(Policy::load(file_)->rules().size(), 1U);
}

TEST_F(PolicyFileTest, DefaultsFollowXdg) {
  const char* const before = std::getenv("XDG_CONFIG_HOME");
  const std::string saved = before ? before : "";
  ::setenv("XDG_CONFIG_HOME", dir_.path("config").c_str(), 1);
  const auto files = default_policy_files();
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(files[0], "/etc/intact/policy.json");
  EXPECT_EQ(files[1], dir_.path("config") + "/intact/policy.json");
  const auto edited = default_policy_file_to_edit();
  ASSERT_TRUE(edited);
  EXPECT_EQ(*edited, files[::geteuid() == 0 ? 0 : 1]);

  ASSERT_TRUE(edit_policy(files[1], [](Policy& policy) -> Result<void> {
    policy.revoke(kOne);
    return {};
  }));
  const auto loaded = Policy::load_default();
  ASSERT_TRUE(loaded) << why(loaded);
  EXPECT_TRUE(loaded->is_revoked(kOne));

  ASSERT_TRUE(write_file_durably(files[1], as_bytes("{"), 0644));
  EXPECT_EQ(kind_of(Policy::load_default()), ErrorKind::malformed);

  ::setenv("XDG_CONFIG_HOME", "relative", 1);
  EXPECT_NE(default_policy_files().back(), "relative/intact/policy.json");
  if (before) {
    ::setenv("XDG_CONFIG_HOME", saved.c_str(), 1);
  } else {
    ::unsetenv("XDG_CONFIG_HOME");
  }
}

}  // namespace
}  // namespace intact::sign
