#include "pull_memory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <intact/base/file.h>

namespace intact::image {
namespace {

class PullMemoryTest : public testing::Test {
 protected:
  PullMemoryTest() { anchors_.policy_file = dir_.path("policy.json"); }

  bool passes(char manifest) {
    const auto checked = check_pull_memory(anchors_, dir_.path(), "app", digest(manifest));
    if (!checked) {
      EXPECT_EQ(checked.error().kind(), ErrorKind::untrusted);
    }
    return checked.has_value();
  }
  bool remember(char manifest) {
    return remember_pull(anchors_, dir_.path(), "app", digest(manifest)).has_value();
  }
  bool announce(char manifest) {
    return announce_pull(anchors_, dir_.path(), "app", digest(manifest)).has_value();
  }
  static Digest digest(char c) { return *Digest::parse_hex(std::string(64, c)); }

  TempDir dir_ = *TempDir::create();
  sign::Anchors anchors_;
};

TEST_F(PullMemoryTest, RefusesWhatWasNotPulled) {
  EXPECT_TRUE(passes('a'));  // nothing is known
  ASSERT_TRUE(remember('a'));
  EXPECT_TRUE(passes('a'));
  EXPECT_FALSE(passes('b'));
  ASSERT_TRUE(remember('b'));
  EXPECT_FALSE(passes('a'));
  EXPECT_TRUE(passes('b'));
}

TEST_F(PullMemoryTest, WhatIsAnnouncedPassesBesideWhatIsThere) {
  ASSERT_TRUE(remember('a'));
  ASSERT_TRUE(announce('b'));
  EXPECT_TRUE(passes('a'));
  EXPECT_TRUE(passes('b'));
  EXPECT_FALSE(passes('c'));
  ASSERT_TRUE(remember('b'));
  EXPECT_FALSE(passes('a'));
  EXPECT_TRUE(passes('b'));
}

TEST_F(PullMemoryTest, ANewNameIsNotAnnounced) {
  ASSERT_TRUE(announce('a'));
  EXPECT_NE(::access(dir_.path("pulled.json").c_str(), F_OK), 0);
  EXPECT_TRUE(passes('b'));
}

TEST_F(PullMemoryTest, LeavesNoLock) {
  ASSERT_TRUE(remember('a'));
  EXPECT_EQ(::access(dir_.path("pulled.json").c_str(), F_OK), 0);
  EXPECT_NE(::access(dir_.path("pulled.json.lock").c_str(), F_OK), 0);
}

}  // namespace
}  // namespace intact::image
