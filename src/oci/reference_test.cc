#include <gtest/gtest.h>

#include <intact/oci/descriptor.h>
#include <intact/oci/reference.h>

namespace intact::oci {
namespace {

using Transport = Reference::Transport;

TEST(Reference, ReadsEveryTransport) {
  struct Case {
    const char* text;
    Transport transport;
    const char* path;
    const char* tag;
  };
  for (const Case& c :
       {Case{"oci:dir", Transport::oci, "dir", ""},
        Case{"oci:/a/b:1.0", Transport::oci, "/a/b", "1.0"},
        Case{"oci:dir:docker.io/library/x:1", Transport::oci, "dir", "docker.io/library/x:1"},
        Case{"oci-archive:f.tar:t", Transport::oci_archive, "f.tar", "t"},
        Case{"docker-archive:f.tar:alpine:3", Transport::docker_archive, "f.tar", "alpine:3"},
        Case{"rootfs:/srv/a:b", Transport::rootfs, "/srv/a:b", ""},
        Case{"tar:a:b.tar", Transport::tar, "a:b.tar", ""},
        Case{"docker://h.io/r", Transport::docker, "h.io/r", ""},
        Case{"docker://localhost/r", Transport::docker, "localhost/r", ""},
        Case{"docker://[::1]:5000/r:t", Transport::docker, "[::1]:5000/r", "t"},
        Case{"docker://127.0.0.1:5000/a__b/c-d.e:t", Transport::docker, "127.0.0.1:5000/a__b/c-d.e",
             "t"},
        Case{"docker://h:5000/a/b:t", Transport::docker, "h:5000/a/b", "t"}}) {
    const auto reference = parse_reference(c.text);
    ASSERT_TRUE(reference && *reference) << c.text;
    EXPECT_EQ((*reference)->transport, c.transport) << c.text;
    EXPECT_EQ((*reference)->path, c.path) << c.text;
    EXPECT_EQ((*reference)->tag, c.tag) << c.text;
    EXPECT_EQ(to_string(**reference), c.text);
  }
  const std::string by_digest = "docker://h.io/r@sha256:" + std::string(64, 'a');
  EXPECT_EQ(to_string(*parse_reference(by_digest).value()), by_digest);
}

TEST(Reference, EverythingElseIsAName) {
  for (const char* text : {"", "alpine", "alpine:3", "docker:24", "ocidir:x", "OCI:x", "dir:x"}) {
    ASSERT_TRUE(parse_reference(text)) << text;
    EXPECT_FALSE(*parse_reference(text)) << text;
    EXPECT_FALSE(has_transport(text)) << text;
  }
  EXPECT_TRUE(has_transport("oci:"));
}

TEST(Reference, RefusesNonsenseBehindATransport) {
  for (const char* text : {"oci:",
                           "oci::tag",
                           "oci:dir:",
                           "oci:dir:a b",
                           "oci:dir:a\n",
                           "rootfs:",
                           "docker://",
                           "docker://host",
                           "docker://h.io/r@sha256:12",
                           "docker://h.io/r@md5:12",
                           "docker://h.io/r:b@d",
                           "docker:///r",
                           "docker://h.io/r:-x",
                           "docker://h.io/",
                           "docker://h.io",
                           "docker://h.io/R",
                           "docker://h.io/a//b",
                           "docker://h.io/a/",
                           "docker://h.io/a..b",
                           "docker://h.io/-a",
                           "docker://h.io/a___b",
                           "docker://h.io:0/a",
                           "docker://h.io:x/a",
                           "docker://h.io:123456/a",
                           "docker://u@h.io/a",
                           "docker://[::1/a",
                           "docker://[x]/a",
                           "docker://h.io/../a",
                           "docker://h..io/a",
                           "docker://h.io/a?b=c",
                           "docker://h.io/a\r\nb"})
    EXPECT_EQ(parse_reference(text).error().kind(), ErrorKind::invalid_argument) << text;
}

TEST(Reference, SpellsDockerHubInOneWay) {
  for (const auto& [text, path] :
       {std::pair("docker://docker.io/alpine", "docker.io/library/alpine"),
        std::pair("docker://index.docker.io/alpine", "docker.io/library/alpine"),
        std::pair("docker://registry-1.docker.io/a/b", "docker.io/a/b"),
        std::pair("docker://Docker.IO/a/b", "docker.io/a/b")})
    EXPECT_EQ((*parse_reference(text).value()).path, path) << text;
}

TEST(Reference, RefusesShortNamesAndSaysWhatToWrite) {
  for (const auto& [text, hint] :
       {std::pair("docker://alpine", "docker://docker.io/library/alpine"),
        std::pair("docker://alpine:3", "docker.io/library/alpine:3"),
        std::pair("docker://team/app:1", "docker://docker.io/team/app")}) {
    const auto reference = parse_reference(text);
    ASSERT_FALSE(reference) << text;
    EXPECT_EQ(reference.error().kind(), ErrorKind::invalid_argument);
    EXPECT_NE(reference.error().message().find("a short name"), std::string::npos) << text;
    EXPECT_NE(reference.error().message().find(hint), std::string::npos)
        << reference.error().message();
  }
}

TEST(Platform, Names) {
  EXPECT_EQ(to_string(parse_platform("linux/amd64").value()), "linux/amd64");
  EXPECT_EQ(to_string(parse_platform("linux/x86_64").value()), "linux/amd64");
  EXPECT_EQ(to_string(parse_platform("linux/armhf").value()), "linux/arm/v7");
  for (const char* text : {"", "linux", "linux/", "/amd64", "a/b/c/d", "linux/AMD64", "a b/c"})
    EXPECT_EQ(parse_platform(text).error().kind(), ErrorKind::invalid_argument) << text;
  EXPECT_EQ(Platform::host().os, "linux");
}

TEST(Platform, Matching) {
  const auto match = [](const char* wanted, const char* offered) {
    return matches(parse_platform(wanted).value(), parse_platform(offered).value());
  };
  EXPECT_TRUE(match("linux/amd64", "linux/amd64"));
  EXPECT_TRUE(match("linux/arm64", "linux/arm64/v8"));
  EXPECT_TRUE(match("linux/arm/v7", "linux/arm"));
  EXPECT_FALSE(match("linux/arm/v6", "linux/arm/v7"));
  EXPECT_FALSE(match("linux/amd64", "linux/amd64/v3"));
  EXPECT_FALSE(match("linux/amd64", "windows/amd64"));
}

}  // namespace
}  // namespace intact::oci
