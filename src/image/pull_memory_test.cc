#include "pull_memory.h"

#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/image/names.h>

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
  bool announce(char manifest, bool replace = true) { return announce(*store_, manifest, replace); }
  bool announce(const store::Store& store, char manifest, bool replace) {
    const auto announced = announce_pull(anchors_, store, "app", digest(manifest), replace);
    if (!announced) said_ = announced.error().message();
    return announced.has_value();
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

// Anyone who can write to the store can remove its record of a name.
TEST_F(PullMemoryTest, OnlyReplacingTakesAnotherImage) {
  ASSERT_TRUE(remember('a'));
  EXPECT_TRUE(announce('a', false));
  EXPECT_FALSE(announce('b', false));
  EXPECT_NE(said_.find(digest('a').to_string() + " was pulled under this name before"),
            std::string::npos)
      << said_;
  EXPECT_NE(said_.find("pass --replace"), std::string::npos) << said_;
  EXPECT_FALSE(passes('b'));
  EXPECT_TRUE(announce('b', true));
  // A pull that ended here may be repeated, with either.
  EXPECT_TRUE(announce('a', false));
  EXPECT_TRUE(announce('b', false));
  EXPECT_FALSE(announce('c', false));
}

// What led to an image is remembered, since the store's record of it may be changed.
TEST_F(PullMemoryTest, RemembersWhereAnImageComesFrom) {
  const auto origin = [&](char manifest) {
    return *origin_of(
        anchors_, *store_,
        {.name = "app", .manifest = digest(manifest), .image = {"composefs-1", digest('f')}});
  };
  EXPECT_EQ(origin('a'), Origin());
  const PulledImage pulled(digest('a'), {}, {"registry.example/team/app:1", {digest('c')}});
  ASSERT_TRUE(remember_pull(anchors_, *store_, "app", pulled));
  EXPECT_EQ(origin('a'), pulled.origin);
  EXPECT_EQ(origin('b'), Origin());
  EXPECT_TRUE(is_remembered(anchors_, *store_, "app", pulled));
  EXPECT_FALSE(is_remembered(anchors_, *store_, "app", digest('a')));
  EXPECT_TRUE(passes('a'));
  // Both are known: what the record says and what is remembered.
  store::NamedImage record{
      .name = "app", .manifest = digest('a'), .image = {"composefs-1", digest('d')}};
  record.through = {digest('e'), digest('c')};
  record.source = "docker://registry.example/elsewhere/app:2";
  const auto both = origin_of(anchors_, *store_, record);
  ASSERT_TRUE(both);
  EXPECT_EQ(both->through, (std::vector{digest('e'), digest('c')}));
  EXPECT_EQ(both->place, "registry.example/team/app:1");
  record.name = "unknown";
  EXPECT_EQ(origin_of(anchors_, *store_, record)->place, "registry.example/elsewhere/app:2");
}

TEST(Places, AreOfRegistriesOnly) {
  const auto place = [](const std::string& text) { return place_of(**oci::parse_reference(text)); };
  EXPECT_EQ(place("docker://registry.example/team/app:1"), "registry.example/team/app:1");
  EXPECT_EQ(place("docker://registry.example/team/app@sha256:" + std::string(64, 'a')),
            "registry.example/team/app");
  EXPECT_EQ(place("docker://registry.example/team/app"), "registry.example/team/app:latest");
  EXPECT_EQ(place("oci:registry.example/team/app:1"), "");
}

TEST_F(PullMemoryTest, RemovingANameForgetsIt) {
  ASSERT_TRUE(forget_pull(*store_, "app", "app"));
  EXPECT_NE(::access(dir_.path("state").c_str(), F_OK), 0);
  const auto other = open("other");
  ASSERT_TRUE(remember('a'));
  ASSERT_TRUE(remember(*other, 'a'));
  ASSERT_TRUE(forget_pull(*store_, "app", "app"));
  EXPECT_TRUE(passes('b'));
  EXPECT_TRUE(announce('b', false));
  EXPECT_FALSE(passes(*other, 'b'));
  // Another store that was put at the path says nothing about the first.
  ASSERT_TRUE(remember('a'));
  rename("store", "away");
  ASSERT_TRUE(forget_pull(*open("store"), "app", "app"));
  EXPECT_FALSE(passes(*open("store"), 'b'));
  EXPECT_FALSE(passes(*open("away"), 'b'));
}

// Which names an image has is the store's word: anyone who writes to it could have a name
// forgotten.
TEST_F(PullMemoryTest, ADigestForgetsOnlyWhatWasPulledWithIt) {
  ASSERT_TRUE(remember('a'));
  for (const std::string& other : {digest('b').to_string(), digest('b').hex().substr(0, 12),
                                   "app@" + digest('b').to_string(), std::string("other")}) {
    const auto forgotten = forget_pull(*store_, "app", other);
    ASSERT_TRUE(forgotten);
    EXPECT_FALSE(*forgotten) << other;
    EXPECT_FALSE(passes('b')) << other;
  }
  for (const std::string& same : {digest('a').to_string(), digest('a').hex().substr(0, 12),
                                  "app@" + digest('a').to_string(), std::string("app")}) {
    ASSERT_TRUE(remember('a'));
    const auto forgotten = forget_pull(*store_, "app", same);
    ASSERT_TRUE(forgotten);
    EXPECT_TRUE(*forgotten) << same;
    EXPECT_TRUE(passes('b')) << same;
  }
}

TEST_F(PullMemoryTest, OnlyTheLastLocalSealIsAccepted) {
  const auto check = [&](const PulledImage& image) {
    return check_pull_memory(anchors_, *store_, "app", image);
  };
  const auto refused = [&](const PulledImage& image, std::string_view reason) {
    const auto result = check(image);
    return !result && result.error().kind() == ErrorKind::untrusted &&
           result.error().message().find(reason) != std::string::npos;
  };
  const PulledImage first(digest('a'), digest('1'));
  const PulledImage second(digest('a'), digest('2'));
  // One that no pull made here is not enough, even if it is well signed.
  EXPECT_TRUE(refused(first, "does not remember"));
  EXPECT_TRUE(check(digest('a')));
  ASSERT_TRUE(announce_pull(anchors_, *store_, "app", first, false));
  EXPECT_TRUE(check(first));
  ASSERT_TRUE(remember_pull(anchors_, *store_, "app", first));
  EXPECT_TRUE(is_remembered(anchors_, *store_, "app", first));
  EXPECT_FALSE(is_remembered(anchors_, *store_, "app", second));
  EXPECT_TRUE(refused(digest('a'), "has gone"));
  EXPECT_TRUE(refused(second, "not the one"));
  EXPECT_FALSE(check_local_seal_is_there(anchors_, *store_, "app", digest('a')));
  EXPECT_TRUE(check_local_seal_is_there(anchors_, *store_, "app", digest('b')));
  // While a pull changes it both hold, and then the new one alone.
  ASSERT_TRUE(announce_pull(anchors_, *store_, "app", second, false));
  EXPECT_TRUE(check(first));
  EXPECT_TRUE(check(second));
  ASSERT_TRUE(remember_pull(anchors_, *store_, "app", second));
  EXPECT_TRUE(refused(first, "not the one"));
  EXPECT_TRUE(check(second));
}

TEST_F(PullMemoryTest, AStoreIsKnownHoweverItsPathIsSpelled) {
  ASSERT_TRUE(make_directories(dir_.path("a")));
  const auto link = [&](const char* target, const char* name) {
    ::unlink(dir_.path(name).c_str());
    ASSERT_EQ(::symlink(target, dir_.path(name).c_str()), 0);
  };
  const auto here = std::filesystem::current_path();
  const auto other = open("other/store");
  const auto right = open("right/store");
  for (const std::string_view pulled_by : {"a/cur", "a/../a/cur", "a/way/store"}) {
    link("../right/store", "a/cur");
    link("../right", "a/way");
    ASSERT_TRUE(remember(*open(std::string(pulled_by).c_str()), 'b'));
    const bool by_way = pulled_by == "a/way/store";
    for (const char* spelling : {"a/cur", "a/../a/cur", "a/./cur", "a/way/store",
                                 "other/../a/way/store", "a/way/../a/way/store"}) {
      const bool same = (std::string_view(spelling).find("way") != std::string::npos) == by_way;
      link("../right/store", "a/cur");
      link("../right", "a/way");
      EXPECT_TRUE(passes(*open(spelling), 'b')) << spelling;
      EXPECT_FALSE(passes(*open(spelling), 'c')) << spelling;
      link("../other/store", "a/cur");
      link("../other", "a/way");
      EXPECT_EQ(passes(*open(spelling), 'a'), !same) << pulled_by << " " << spelling;
    }
    link("../other/store", "a/cur");
    link("../other", "a/way");
    std::filesystem::current_path(dir_.path("a"));
    const auto by_proc =
        store::Store::open(by_way ? "/proc/self/cwd/way/store" : "/proc/self/cwd/cur");
    EXPECT_FALSE(passes(**by_proc, 'a')) << pulled_by;
    std::filesystem::current_path(here);
    ASSERT_EQ(::unlink(dir_.path("state/pulled.json").c_str()), 0);
  }
}

TEST_F(PullMemoryTest, IsBelievedOnlyIfNobodyElseMayWriteIt) {
  ASSERT_TRUE(remember('a'));
  EXPECT_TRUE(passes('a'));
  for (const char* path : {"state", "state/pulled.json"}) {
    ASSERT_EQ(::chmod(dir_.path(path).c_str(), 0777), 0);
    EXPECT_FALSE(passes('a'));
    EXPECT_NE(said_.find("writable by others"), std::string::npos) << said_;
    EXPECT_FALSE(announce('a'));
    EXPECT_FALSE(remember('b'));
    ASSERT_EQ(::chmod(dir_.path(path).c_str(), 0755), 0);
    EXPECT_TRUE(passes('a'));
  }
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

// Anyone who can write to the store can do each of these.
TEST_F(PullMemoryTest, APathStandsForWhatWasPulledThereWhateverTheIdIs) {
  ASSERT_TRUE(remember('b'));
  const std::string marker = dir_.path("store/intact-store.json");
  const Bytes whole = *read_file(marker, 1000);
  const std::string other_id = R"({"version":1,"id":")" + std::string(32, '0') + "\"}";
  for (const std::string& changed : {std::string(R"({"version":1})"), other_id}) {
    ASSERT_TRUE(write_file_durably(marker, as_bytes(changed), 0644));
    const auto store = open("store");
    EXPECT_FALSE(announce(*store, 'a', false));
    EXPECT_NE(said_.find("another store (its id differs)"), std::string::npos) << said_;
    EXPECT_NE(said_.find("pass --replace"), std::string::npos) << said_;
    EXPECT_TRUE(announce(*store, 'b', false));  // the very image
    ASSERT_TRUE(write_file_durably(marker, whole, 0644));
    EXPECT_TRUE(announce(*open("store"), 'b', false));
    EXPECT_FALSE(announce(*open("store"), 'a', false));
  }
  rename("store", "away");
  EXPECT_FALSE(announce(*open("store"), 'a', false));
  ASSERT_EQ(::symlink("store", dir_.path("link").c_str()), 0);
  EXPECT_FALSE(announce(*open("link"), 'a', false));
  EXPECT_TRUE(announce(*open("elsewhere"), 'a', false));  // a path that is not known
  EXPECT_TRUE(announce(*open("store"), 'a', true));
  ASSERT_TRUE(remember(*open("store"), 'a'));
  EXPECT_TRUE(announce(*open("store"), 'a', false));
  EXPECT_FALSE(announce(*open("store"), 'b', false));
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

// Anyone who can write to the store could otherwise make `verify --all` skip an image.
TEST_F(PullMemoryTest, KnowsWhatTheStoreHasLost) {
  EXPECT_TRUE(lost_names(*store_)->empty());
  ASSERT_TRUE(remember('a'));
  EXPECT_EQ(*lost_names(*store_), std::vector<std::string>{"app"});
  EXPECT_TRUE(lost_names(*open("other"))->empty());
  // Another store in its place has lost it too.
  rename("store", "away");
  EXPECT_EQ(*lost_names(*open("store")), std::vector<std::string>{"app"});
  // Its user says that this is right.
  ASSERT_TRUE(forget_pull(*store_, "app", "app"));
  EXPECT_TRUE(lost_names(*store_)->empty());
}

TEST_F(PullMemoryTest, ARelativeStateDirectoryIsRefused) {
  ASSERT_TRUE(remember('a'));
  // It would depend on the working directory which memory counts.
  const auto here = std::filesystem::current_path();
  std::filesystem::current_path(dir_.path());
  ::setenv("INTACT_STATE", "state", 1);
  const auto refused = [](const auto& result) {
    return !result && result.error().kind() == ErrorKind::invalid_argument &&
           result.error().message().find("INTACT_STATE: not an absolute path: state") == 0;
  };
  EXPECT_TRUE(refused(check_pull_memory(anchors_, *store_, "app", digest('a'))));
  EXPECT_TRUE(refused(check_replaces_nothing(anchors_, *store_, "app", digest('a'))));
  EXPECT_TRUE(refused(announce_pull(anchors_, *store_, "app", digest('a'), true)));
  EXPECT_TRUE(refused(remember_pull(anchors_, *store_, "app", digest('a'))));
  EXPECT_TRUE(refused(forget_pull(*store_, "app", "app")));
  ::setenv("INTACT_STATE", dir_.path("state").c_str(), 1);
  EXPECT_TRUE(passes('a'));
  EXPECT_FALSE(passes('b'));
  std::filesystem::current_path(here);
}

// Otherwise a call without HOME would accept what a call with HOME refuses.
TEST_F(PullMemoryTest, AUserWithoutAHomeIsAnError) {
  const bool root = ::geteuid() == 0;
  const char* const before = std::getenv("HOME");
  const std::string saved = before ? before : "";
  ::unsetenv("INTACT_STATE");
  ::unsetenv("XDG_STATE_HOME");
  if (root) {
    ASSERT_EQ(::seteuid(65534), 0);
  }
  ::unsetenv("HOME");
  const auto without = state_directory();
  const auto checked = check_pull_memory(anchors_, *store_, "app", digest('a'));
  ::setenv("HOME", "relative", 1);
  const auto relative = state_directory();
  ::setenv("HOME", "/home/web", 1);
  const auto with = state_directory();
  if (root) {
    ASSERT_EQ(::seteuid(0), 0);
  }
  ::unsetenv("HOME");
  const auto of_root = state_directory();
  if (before) ::setenv("HOME", saved.c_str(), 1);

  ASSERT_FALSE(without);
  EXPECT_EQ(without.error().kind(), ErrorKind::invalid_argument);
  EXPECT_NE(without.error().message().find("set HOME, or INTACT_STATE=/var/lib/intact-state"),
            std::string::npos);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().kind(), ErrorKind::invalid_argument);
  EXPECT_FALSE(relative);
  ASSERT_TRUE(with);
  EXPECT_EQ(*with, "/home/web/.local/state/intact");
  if (root) {
    ASSERT_TRUE(of_root);
    EXPECT_EQ(*of_root, "/var/lib/intact-state");
  }
}

}  // namespace
}  // namespace intact::image
