#include "proxy.h"

#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "test_image.h"

namespace intact::registry {
namespace {

using namespace test;
using testing::HasSubstr;

constexpr const char* kVariables[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                      "ALL_PROXY",  "no_proxy",    "NO_PROXY"};

/// The environment of each test is its own.
class ProxyTest : public testing::Test {
 protected:
  ProxyTest() { clear(); }
  ~ProxyTest() override { clear(); }
  static void clear() {
    for (const char* name : kVariables) ::unsetenv(name);
  }
  static void set(const char* name, const std::string& value) { ::setenv(name, value.c_str(), 1); }
};

TEST(Exceptions, AreNamesWithWhatIsBelowThemAndNetworks) {
  EXPECT_TRUE(is_excepted("*", "a.example"));
  EXPECT_TRUE(is_excepted("x, a.example", "a.example"));
  EXPECT_TRUE(is_excepted("x .example", "a.example"));
  EXPECT_TRUE(is_excepted("EXAMPLE.", "a.example"));
  EXPECT_TRUE(is_excepted("10.0.0.0/8", "10.1.2.3"));
  EXPECT_TRUE(is_excepted("10.128.0.0/9", "10.129.2.3"));
  EXPECT_TRUE(is_excepted("[fd00::]/8", "[fd12::1]") || is_excepted("fd00::/8", "[fd12::1]"));
  EXPECT_FALSE(is_excepted("", "a.example"));
  EXPECT_FALSE(is_excepted("ample", "a.example"));
  EXPECT_FALSE(is_excepted(".,", "a.example"));
  EXPECT_FALSE(is_excepted("10.128.0.0/9", "10.1.2.3"));
  EXPECT_FALSE(is_excepted("10.0.0.0/33, 10.0.0.0/x", "10.1.2.3"));
  EXPECT_FALSE(is_excepted("fd00::/8", "10.1.2.3"));
}

TEST_F(ProxyTest, IsChosenByTheEnvironment) {
  const Url plain = parse_url("http://a.example/").value();
  const Url tls = parse_url("https://a.example/").value();
  EXPECT_EQ(proxy_for(plain), "");
  set("https_proxy", "http://s:1");
  EXPECT_EQ(proxy_for(tls), "http://s:1");
  EXPECT_EQ(proxy_for(plain), "");
  set("ALL_PROXY", "http://all:1");
  EXPECT_EQ(proxy_for(plain), "http://all:1");
  EXPECT_EQ(proxy_for(parse_url("http://127.1/").value()), "");
  EXPECT_EQ(proxy_for(parse_url("http://LOCALHOST/").value()), "");
  set("NO_PROXY", "example");
  EXPECT_EQ(proxy_for(plain), "");
  EXPECT_EQ(proxy_for(parse_url("http://b.test/").value()), "http://all:1");
}

/// A registry that is elsewhere by its name, and sends its clients on for blobs.
class RedirectTest : public ProxyTest {
 protected:
  RedirectTest() : storage_([this](const Request&) { return Response{.body = layer_}; }) {
    options_.tls_verify = false;
    make_image(registry_, layer_);
    registry_.set_fault([this](const Request& request) -> std::optional<Response> {
      if (request.target.find("/blobs/") == std::string::npos) return {};
      return Response{.status = 307, .headers = {{"Location", location_}}};
    });
    const std::string port = registry_.server().host().substr(10);
    storage_port_ = storage_.host().substr(10);
    place_ = "registry.example:" + port + "/team/app";
    options_.addresses = {"registry.example:" + port + ":127.0.0.1",
                          "storage.example:" + storage_port_ + ":127.0.0.1"};
  }

  Result<std::string> fetch(const std::string& location) {
    location_ = location;
    const auto source = TRY(open_source(reference_to(place_, "t"), {}, options_));
    const auto stream = TRY(source->open_blob(oci::describe(oci::kLayerType, as_bytes(layer_))));
    Bytes bytes(layer_.size());
    TRY(read_fully(*stream, bytes));
    return std::string(as_text(bytes));
  }
  void expect_refused(const std::string& location) {
    const std::size_t before = storage_.requests().size();
    const auto fetched = fetch(location);
    ASSERT_FALSE(fetched) << location;
    EXPECT_EQ(fetched.error().kind(), ErrorKind::untrusted) << location;
    EXPECT_THAT(fetched.error().message(), HasSubstr("the registry refers to this machine"));
    EXPECT_EQ(storage_.requests().size(), before) << location;
  }

  std::string layer_ = "layer";
  std::string location_, place_, storage_port_;
  Registry registry_;
  Server storage_;
  Options options_ = test_options();
};

TEST_F(RedirectTest, ToThisMachineIsRefusedByNameAndByAddress) {
  for (const char* host : {"127.0.0.1", "localhost", "x.localhost", "127.1", "2130706433", "[::1]",
                           "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254", "storage.example"})
    expect_refused("http://" + std::string(host) + ":" + storage_port_ + "/x");
}

TEST_F(RedirectTest, IsFollowedWithinOneServer) {
  // Twin: the same registry, the same address.
  registry_.set_fault([&](const Request& request) -> std::optional<Response> {
    if (request.target.find("/blobs/") == std::string::npos) return {};
    return Response{.status = 307, .headers = {{"Location", "/there"}}};
  });
  const auto fetched = fetch("");
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.error().kind(), ErrorKind::not_found) << fetched.error().message();
  EXPECT_EQ(registry_.server().count("GET", "/there"), 1u);
}

/// The same with a proxy on this machine, which is the only one that knows the registry.
class ProxiedRedirectTest : public RedirectTest {
 protected:
  ProxiedRedirectTest()
      : proxy_([this](const Request& request) -> Response {
          if (request.method == "CONNECT") return {.status = 403};
          if (request.target.starts_with("http://storage.example:")) return {.body = layer_};
          if (request.target.find("/blobs/") != std::string::npos)
            return {.status = 307, .headers = {{"Location", location_}}};
          return {.body = "{}"};
        }) {
    set("all_proxy", "http://" + proxy_.host());
  }
  Server proxy_;
};

TEST_F(ProxiedRedirectTest, ToThisMachineIsRefused) {
  for (const char* host : {"127.0.0.1", "localhost", "127.1", "[::1]", "169.254.169.254"})
    expect_refused("http://" + std::string(host) + ":" + storage_port_ + "/x");
}

TEST_F(ProxiedRedirectTest, ToAnExceptedHostIsJudgedByItsAddress) {
  set("no_proxy", "storage.example");
  expect_refused("http://storage.example:" + storage_port_ + "/x");
}

TEST_F(ProxiedRedirectTest, ElsewhereIsTheBusinessOfTheProxy) {
  const auto fetched = fetch("http://storage.example:" + storage_port_ + "/x");
  ASSERT_TRUE(fetched) << fetched.error().message();
  EXPECT_EQ(*fetched, layer_);
  EXPECT_EQ(storage_.requests().size(), 0u);
  EXPECT_EQ(proxy_.count("GET", "http://storage.example:"), 1u);
  EXPECT_EQ(registry_.server().requests().size(), 0u);
}

}  // namespace
}  // namespace intact::registry
