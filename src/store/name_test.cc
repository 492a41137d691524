#include <gtest/gtest.h>

#include <intact/store/name.h>

namespace intact::store {
namespace {

TEST(Name, TakesWhatPeopleCallImages) {
  for (const char* name :
       {"a", "web", "docker.io/library/debian:12", "docker:latest", "x@sha256:ab", "ocix", "über",
        "two words", "cafe", "20261130", "0123456789a", "0123456789ab.", "app:0123456789ab",
        "user@host", "a-b_c.d+e=f,g~h", ".hidden", "50%"})
    EXPECT_TRUE(check_name(name)) << name;
}

TEST(Name, RefusesWhatCannotBeTold) {
  for (const std::string& name : {std::string(""),
                                  std::string("oci:dir"),
                                  std::string("oci:"),
                                  std::string("oci-archive:x"),
                                  std::string("docker-archive:x"),
                                  std::string("docker://x"),
                                  std::string("rootfs:/"),
                                  std::string("tar:x"),
                                  std::string("sha256:"),
                                  std::string("sha256:x"),
                                  std::string("sha256:ab"),
                                  std::string("0123456789ab"),
                                  std::string(64, 'f'),
                                  std::string(64, 'F'),
                                  std::string("0123456789AB"),
                                  "SHA256:" + std::string(64, 'a'),
                                  "sha512:" + std::string(128, 'a'),
                                  "app@SHA256:" + std::string(64, 'a'),
                                  "app@sha256:" + std::string(64, 'A'),
                                  "app@sha256:" + std::string(65, 'a'),
                                  "app@sha512:" + std::string(128, 'a'),
                                  "app@" + std::string(64, 'A'),
                                  std::string("-v"),
                                  std::string("a\nb"),
                                  std::string("a\0b", 3),
                                  std::string("\x7f"),
                                  std::string("\xff"),
                                  std::string("\xc2\x80"),
                                  std::string("\xc0\xaf"),
                                  std::string("\xed\xa0\x80"),
                                  std::string(" a"),
                                  std::string("a ")})
    EXPECT_EQ(check_name(name).error().kind(), ErrorKind::invalid_argument) << name;
}

TEST(Name, IsLimitedByItsEncodedLength) {
  EXPECT_TRUE(check_name(std::string(200, 'x')));
  EXPECT_FALSE(check_name(std::string(201, 'x')));
  EXPECT_TRUE(check_name(std::string(66, '/')));
  EXPECT_FALSE(check_name(std::string(67, '/')));
}

TEST(Name, EncodesToOneFileName) {
  EXPECT_EQ(encode_name("docker.io/library/debian:12"), "docker.io%2flibrary%2fdebian:12");
  EXPECT_EQ(encode_name(".."), "%2e.");
  EXPECT_EQ(encode_name("50%"), "50%25");
}

TEST(Name, DecodesExactlyWhatWasEncoded) {
  for (const char* name : {"a", "a/b:c", "..", "50%", "über", "%2f"})
    EXPECT_EQ(*decode_name(encode_name(name)), name);
  // Other spellings of the same name would be two records of one image.
  for (const char* encoded : {"%61", "a%2Fb", "a%2", "a%", "%zz", ".a", "a/b", "%2e%2e"})
    EXPECT_FALSE(decode_name(encoded)) << encoded;
}

}  // namespace
}  // namespace intact::store
