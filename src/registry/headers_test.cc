#include "headers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "url.h"

namespace intact::registry {
namespace {

TEST(Challenges, AreReadInEveryForm) {
  const auto found = parse_challenges(
      {R"(Bearer realm="https://a/t",service="s, \"x\"",scope=repository:a/b:pull)",
       R"(Negotiate, Basic realm="r", Digest a=b, c="d")"});
  ASSERT_EQ(found.size(), 4u);
  EXPECT_EQ(found[0].scheme, "bearer");
  EXPECT_EQ(found[0].parameter("realm"), "https://a/t");
  EXPECT_EQ(found[0].parameter("service"), "s, \"x\"");
  EXPECT_EQ(found[0].parameter("scope"), "repository:a/b:pull");
  EXPECT_EQ(found[1].scheme, "negotiate");
  EXPECT_EQ(found[2].scheme, "basic");
  EXPECT_EQ(found[2].parameter("realm"), "r");
  EXPECT_EQ(found[3].parameter("c"), "d");
  // Of two values the first counts.
  EXPECT_EQ(parse_challenges({"Bearer a=1,a=2"})[0].parameter("a"), "1");
  for (const char* text : {"", ",", "=", "=\"", "Bearer realm=\"", "\\", "\"\\"})
    parse_challenges({text});
  std::string many;
  for (int i = 0; i < 10'000; ++i) many += "S x=y,";
  EXPECT_LE(parse_challenges({many}).size(), 16u);
}

TEST(Links, NextPageIsFound) {
  EXPECT_EQ(next_link({R"(</v2/a?n=1>; rel="next")"}), "/v2/a?n=1");
  EXPECT_EQ(next_link({"<a>; rel=prev, <b>; title=\"x\"; rel=next"}), "b");
  EXPECT_EQ(next_link({"<a>; rel=prev", "<b>; REL=NEXT"}), "b");
  for (const char* text : {"", "<", "<a", "<a>", "<a>; rel", "<a>; x=next", "a; rel=next"})
    EXPECT_EQ(next_link({text}), std::nullopt) << text;
}

TEST(Ranges, AreReadStrictly) {
  EXPECT_EQ(parse_range("0-9")->last, 9u);
  EXPECT_EQ(parse_range("bytes=5-9")->first, 5u);
  for (const char* text : {"", "-", "9-0", "a-b", "0-", "-5", "0-99999999999999999999"})
    EXPECT_FALSE(parse_range(text)) << text;
  EXPECT_EQ(parse_content_range("bytes 5-9/10")->whole, 10u);
  EXPECT_EQ(parse_content_range("bytes 5-9/*")->whole, std::nullopt);
  for (const char* text : {"5-9/10", "bytes 5-9", "bytes 5-9/9", "bytes */10"})
    EXPECT_FALSE(parse_content_range(text)) << text;
  EXPECT_EQ(parse_retry_after("5")->count(), 5);
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT")->count(), 0);
  EXPECT_FALSE(parse_retry_after("soon"));
}

TEST(Urls, AreResolvedAndCompared) {
  const Url base = parse_url("https://H.io/v2/").value();
  EXPECT_EQ(base.text(), "https://h.io/v2/");
  EXPECT_EQ(resolve_url(base, "/x?y=1")->text(), "https://h.io/x?y=1");
  EXPECT_EQ(resolve_url(base, "https://h.io:8443/x")->port, "8443");
  EXPECT_TRUE(same_origin(base, resolve_url(base, "https://h.io:443/x").value()));
  EXPECT_FALSE(same_origin(base, resolve_url(base, "https://h.io:8443/x").value()));
  EXPECT_FALSE(same_origin(base, resolve_url(base, "http://h.io/x").value()));
  EXPECT_FALSE(same_origin(base, resolve_url(base, "//evil.io/x").value()));
  for (const char* bad : {"file:///etc/passwd", "ftp://h.io/", "gopher://x"})
    EXPECT_EQ(resolve_url(base, bad).error().kind(), ErrorKind::unsupported) << bad;
  for (const char* bad : {"", "https://", "https://a@h.io/", "http://h.io/\r\nX: y"})
    EXPECT_FALSE(resolve_url(base, bad)) << bad;
}

TEST(Urls, KnowThisMachineInEverySpelling) {
  for (const char* host : {"localhost", "a.localhost", "127.0.0.1", "127.1.2.3", "[::1]", "0.0.0.0",
                           "[::]", "[::ffff:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]",
                           "[2002:a9fe:a9fe::]", "169.254.169.254", "[fe80::1]", "localhost."})
    EXPECT_TRUE(is_local_host(host)) << host;
  for (const char* host : {"h.io", "8.8.8.8", "[2001:db8::1]", "[64:ff9b::808:808]",
                           "[2002:808:808::]", "localhost.io", "10.0.0.1"})
    EXPECT_FALSE(is_local_host(host)) << host;
  // Numbers that are addresses are written as such before they are compared.
  EXPECT_TRUE(is_local_host(parse_url("http://0x7f.1/").value().host));
  EXPECT_TRUE(is_local_host(parse_url("http://2130706433/").value().host));
}

}  // namespace
}  // namespace intact::registry
