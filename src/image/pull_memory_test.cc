#include "pull_memory.h"

#include <cstdlib>

#include <gtest/gtest.h>
#include <unistd.h>

#include <intact/base/file.h>

namespace intact::image {
namespace {

/// $INTACT_STATE leads into a directory of the test as long as it runs.
class PullMemoryTest : public testing::Test {
 protected:
  PullMemoryTest() {
    anchors_.policy_file = dir_.path("policy/policy.json");
    ::setenv("INTACT_STATE", dir_.path("state").c_str(), 1);
  }
  ~PullMemoryTest() override { ::unsetenv("INTACT_STATE"); }

  bool passes(char manifest) { return passes(*store_, manifest); }
  bool passes(const store::Store& store, char manifest) {
    const auto checked = check_pull_memory(anchors_, store, "app", digest(manifest));
    if (!checked) {
      EXPECT_EQ(checked.error().kind(), ErrorKind::untrusted);
      said_ = checked.error().message();
    }
    return checked.has_value();
  }
  bool remember(char manifest) { return remember(*store_, manifest); }
  bool remember(const store::Store& store, char manifest) {
    return remember_pull(anchors_, store, "app", digest(manifest)).has_value();
  }
  bool announce(char manifest) {
    return announce_pull(anchors_, *store_, "app", digest(manifest)).has_value();
  }
  std::unique_ptr<store::Store> open(const char* name) {
    return std::move(*store::Store::open_or_create(dir_.path(name)));
  }
  void rename(const char* from, const char* to) {
    ASSERT_EQ(::rename(dir_.path(from).c_str(), dir_.path(to).c_str()), 0);
  }
  static Digest digest(char c) { return *Digest::parse_hex(std::string(64, c)); }

  TempDir dir_ = *TempDir::create();
  sign::Anchors anchors_;
  std::unique_ptr<store::Store> store_ = open("store");
  std::string said_;
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
  EXPECT_NE(::access(dir_.path("state/pulled.json").c_str(), F_OK), 0);
  EXPECT_TRUE(passes('b'));
}

TEST_F(PullMemoryTest, LeavesNoLock) {
  ASSERT_TRUE(remember('a'));
  EXPECT_EQ(::access(dir_.path("state/pulled.json").c_str(), F_OK), 0);
  EXPECT_NE(::access(dir_.path("state/pulled.json.lock").c_str(), F_OK), 0);
}

TEST_F(PullMemoryTest, AnotherStoreAtThePathIsRefused) {
  ASSERT_TRUE(remember('b'));
  rename("store", "away");
  // Nothing at the path: nothing is forgotten.
  ASSERT_TRUE(remember(*open("scratch"), 'a'));
  const auto other = open("store");
  EXPECT_FALSE(passes(*other, 'a'));
  EXPECT_NE(said_.find("put that store back"), std::string::npos) << said_;
  EXPECT_FALSE(passes(*other, 'b'));
  // The store is known wherever it is, and what was pulled into it.
  EXPECT_TRUE(passes(*open("away"), 'b'));
  EXPECT_FALSE(passes(*open("away"), 'a'));
  // A pull says that the other store is meant.
  ASSERT_TRUE(remember(*other, 'c'));
  EXPECT_TRUE(passes(*other, 'c'));
  rename("store", "gone");
  rename("away", "store");
  EXPECT_FALSE(passes(*open("store"), 'b'));
}

TEST_F(PullMemoryTest, ALinkThatLeadsToAnotherStoreIsRefused) {
  const auto old = open("old");
  ASSERT_EQ(::symlink("store", dir_.path("link").c_str()), 0);
  ASSERT_TRUE(remember(*open("link"), 'b'));
  EXPECT_TRUE(passes(*open("link"), 'b'));
  EXPECT_FALSE(passes(*open("store"), 'a'));
  ASSERT_EQ(::unlink(dir_.path("link").c_str()), 0);
  ASSERT_EQ(::symlink("old", dir_.path("link").c_str()), 0);
  EXPECT_FALSE(passes(*open("link"), 'a'));
  EXPECT_TRUE(passes(*old, 'a'));  // never pulled there
  ASSERT_TRUE(remember(*open("link"), 'a'));
  EXPECT_TRUE(passes(*open("link"), 'a'));
  EXPECT_TRUE(passes(*open("store"), 'b'));
  EXPECT_FALSE(passes(*open("store"), 'a'));
}

TEST_F(PullMemoryTest, AStoreThatHasLostItsIdIsAnother) {
  ASSERT_TRUE(remember('b'));
  ASSERT_TRUE(
      write_file_durably(dir_.path("store/intact-store.json"), as_bytes("{\"version\":1}"), 0644));
  EXPECT_FALSE(passes(**store::Store::open(dir_.path("store")), 'b'));
}

TEST_F(PullMemoryTest, WhatAnOlderVersionRememberedMoves) {
  const std::string old = dir_.path("policy/pulled.json");
  ASSERT_TRUE(make_directories(dir_.path("policy")));
  const std::string a = digest('a').to_string();
  const std::string text = R"({"version":1,"pulled":[{"store":")" + store_->path() +
                           R"(","name":"app","manifest":")" + a + R"("},{"store":")" +
                           store_->path() + R"(","name":"other","manifest":")" + a + R"("}]})";
  ASSERT_TRUE(write_file_durably(old, as_bytes(text), 0644));
  EXPECT_TRUE(passes('a'));
  EXPECT_FALSE(passes('b'));
  ASSERT_TRUE(remember('b'));
  EXPECT_NE(::access(old.c_str(), F_OK), 0);
  EXPECT_FALSE(passes('a'));
  EXPECT_TRUE(passes('b'));
  EXPECT_FALSE(check_pull_memory(anchors_, *store_, "other", digest('b')));
  EXPECT_TRUE(check_pull_memory(anchors_, *store_, "other", digest('a')));
}

}  // namespace
}  // namespace intact::image
