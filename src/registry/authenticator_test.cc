#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <intact/crypto/base64.h>
#include <intact/registry/registry.h>

#include "test_registry.h"

namespace intact::registry {
namespace {

using namespace test;
using testing::HasSubstr;
using testing::Not;

std::shared_ptr<const Credential> credential(const std::string& password) {
  return std::make_shared<const Credential>(
      Credential{.user = "user",
                 .password = crypto::Secret::copy_of(as_bytes(password)),
                 .identity_token = {},
                 .origin = "--creds"});
}

/// A registry that wants tokens, and the server that issues them.
class Tokens : public testing::Test {
 protected:
  Tokens() {
    registry_.add_manifest(R"({"schemaVersion":2})", "t");
    registry_.set_fault([this](const Request& request) -> std::optional<Response> {
      if (request.target == "/v2/") return {};
      if (request.header("authorization") == "Bearer " + wanted_) return {};
      return Response{.status = 401, .headers = challenge_};
    });
    options_.credentials.credential = credential("pass");
    challenge_ = {
        {"WWW-Authenticate", "Bearer realm=\"http://" + server_.host() +
                                 "/token\",service=\"s\",scope=\"repository:other:pull\""}};
  }

  Result<oci::Descriptor> find() {
    return TRY(open_source(reference_to(registry_.place(), "t"), {}, options_))->find("t");
  }

  std::string wanted_ = "good";
  Response answer_{.body = R"({"token":"good","expires_in":300})"};
  Server server_{[this](const Request&) { return answer_; }};
  Registry registry_;
  Options options_ = test_options();
  std::vector<std::pair<std::string, std::string>> challenge_;
};

TEST_F(Tokens, AreAskedForOnceForTheOwnRepository) {
  const auto source = open_source(reference_to(registry_.place(), "t"), {}, options_);
  ASSERT_TRUE(source);
  ASSERT_TRUE((*source)->find("t"));
  ASSERT_TRUE((*source)->find("t"));
  const std::vector<Request> asked = server_.requests();
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].query("service"), "s");
  // The challenge named another repository, for which nobody asked.
  EXPECT_EQ(asked[0].query("scope"), "repository:team/app:pull");
  EXPECT_EQ(asked[0].header("authorization"),
            "Basic " + crypto::encode_base64(as_bytes("user:pass")));
  EXPECT_EQ(registry_.server().count("GET", "/manifests/"), 3u);
}

TEST_F(Tokens, ThatAreRefusedAreRenewedOnce) {
  const auto source = open_source(reference_to(registry_.place(), "t"), {}, options_);
  ASSERT_TRUE((*source)->find("t"));
  wanted_ = "newer";
  answer_.body = R"({"access_token":"newer"})";
  EXPECT_TRUE((*source)->find("t"));
  wanted_ = "newest";
  const auto refused = (*source)->find("t");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::bad_secret);
  EXPECT_THAT(refused.error().message(), HasSubstr("--creds"));
  EXPECT_THAT(refused.error().message(), Not(HasSubstr("pass")));
  EXPECT_EQ(server_.requests().size(), 3u);
}

TEST_F(Tokens, ComeFromRefreshTokens) {
  const TempDir dir = TempDir::create().value();
  ASSERT_TRUE(write_file_durably(dir.path("auth.json"),
                                 as_bytes(R"({"auths":{")" + registry_.server().host() +
                                          R"(":{"identitytoken":"refresh+me"}}})"),
                                 0600));
  options_.credentials = {.auth_file = dir.path("auth.json")};
  ASSERT_TRUE(find());
  const std::vector<Request> asked = server_.requests();
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].method, "POST");
  EXPECT_THAT(asked[0].body, HasSubstr("grant_type=refresh_token"));
  EXPECT_THAT(asked[0].body, HasSubstr("refresh_token=refresh%2Bme"));
  EXPECT_THAT(asked[0].body, HasSubstr("scope=repository%3Ateam%2Fapp%3Apull"));
}

TEST_F(Tokens, ThatAreNoneAreRefused) {
  const auto with = [&](Response response) {
    answer_ = std::move(response);
    const auto found = find();
    EXPECT_FALSE(found);
    return found ? ErrorKind::cancelled : found.error().kind();
  };
  EXPECT_EQ(with({.body = "{}"}), ErrorKind::malformed);
  EXPECT_EQ(with({.body = "x"}), ErrorKind::malformed);
  EXPECT_EQ(with({.body = R"({"token":"a\r\nX: y"})"}), ErrorKind::malformed);
  EXPECT_EQ(with({.body = std::string(1 << 16, ' '), .endless = true}), ErrorKind::limit);
  EXPECT_EQ(with({.body = std::string(100'000, '[')}), ErrorKind::limit);
  EXPECT_EQ(with({.status = 401}), ErrorKind::bad_secret);
  EXPECT_EQ(with({.status = 429}), ErrorKind::busy);
  EXPECT_EQ(with({.status = 302, .headers = {{"Location", "file:///etc/passwd"}}}), ErrorKind::io);
}

TEST_F(Tokens, AreNotAskedForAnywhere) {
  for (const char* realm : {"file:///etc/passwd", "ftp://127.0.0.1/", "", "x"}) {
    challenge_ = {{"WWW-Authenticate", "Bearer realm=\"" + std::string(realm) + "\""}};
    EXPECT_FALSE(find()) << realm;
  }
  EXPECT_EQ(server_.requests().size(), 0u);
}

TEST_F(Tokens, BasicIsAnsweredToo) {
  const std::string header = "Basic " + crypto::encode_base64(as_bytes("user:pass"));
  registry_.set_fault([&](const Request& request) -> std::optional<Response> {
    if (request.target == "/v2/" || request.header("authorization") == header) return {};
    return Response{.status = 401,
                    .headers = {{"WWW-Authenticate", "Negotiate, Basic realm=\"r\""}}};
  });
  EXPECT_TRUE(find());
  options_.credentials.credential = credential("wrong");
  EXPECT_EQ(find().error().kind(), ErrorKind::bad_secret);
  options_.credentials.credential = {};
  options_.credentials.anonymous = true;
  const auto none = find();
  EXPECT_EQ(none.error().kind(), ErrorKind::bad_secret);
  EXPECT_THAT(none.error().message(), HasSubstr("intact login"));
  registry_.set_fault([&](const Request& request) -> std::optional<Response> {
    if (request.target == "/v2/") return {};
    return Response{.status = 401, .headers = {{"WWW-Authenticate", "Negotiate"}}};
  });
  EXPECT_EQ(find().error().kind(), ErrorKind::unsupported);
}

}  // namespace
}  // namespace intact::registry
