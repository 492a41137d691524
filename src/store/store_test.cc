#include <thread>

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <intact/base/directory.h>

#include "test_images.h"

namespace intact::store {
namespace {

TEST_F(StoreTest, IsCreatedOnceAndOpenedAfterwards) {
  must(pull(*store_, "a", {"content"}));
  const auto again = must(Store::open_or_create(path_));
  EXPECT_TRUE(again->find("a"));
  EXPECT_TRUE(must(Store::open(path_))->find("a"));
  EXPECT_EQ(entries("objects").size(), 1u);
}

TEST_F(StoreTest, IsFoundByItsMarkerOnly) {
  EXPECT_ERROR(not_found, Store::open(dir_.path("missing")));
  EXPECT_ERROR(not_found, Store::open(dir_.path()));
  EXPECT_ERROR(exists, Store::open_or_create(dir_.path()));
  EXPECT_FALSE(exists(dir_.path("intact-store.json")));
  must(make_directories(dir_.path("empty")));
  EXPECT_ERROR(not_found, Store::open(dir_.path("empty")));
  EXPECT_OK(Store::open_or_create(dir_.path("empty")));
  EXPECT_OK(Store::open_or_create(dir_.path("deep/er/store/")));
}

TEST_F(StoreTest, HasOneIdHoweverManyMakeIt) {
  for (int round = 0; round < 50; ++round) {
    const std::string path = dir_.path(std::to_string(round));
    std::vector<std::string> ids(4);
    std::vector<std::thread> makers;
    for (std::string& id : ids)
      makers.emplace_back([&] { id = must(Store::open_or_create(path))->id(); });
    for (std::thread& maker : makers) maker.join();
    for (const std::string& id : ids) EXPECT_EQ(id, must(Store::open(path))->id());
  }
}

TEST_F(StoreTest, OfANewerVersionIsUnsupported) {
  must(write_file_durably(path_ + "/intact-store.json", as_bytes("{\"version\":2}"), 0644));
  EXPECT_ERROR(unsupported, Store::open(path_));
  EXPECT_ERROR(unsupported, Store::open_or_create(path_));
  must(write_file_durably(path_ + "/intact-store.json", as_bytes("{}"), 0644));
  EXPECT_ERROR(malformed, Store::open(path_));
}

TEST_F(StoreTest, ThatACrashLeftHalfMadeIsCompleted) {
  // The marker comes first; before it there may be a part of it under another name.
  const std::string path = dir_.path("half");
  must(make_directories(path));
  must(write_file_durably(path + "/.intact-store.json.tmp1.2", {}, 0644));
  ASSERT_TRUE(Store::open_or_create(path));
  const std::string bare = dir_.path("bare");
  must(make_directories(bare));
  must(write_file_durably(bare + "/intact-store.json", as_bytes("{\"version\":1}"), 0644));
  const auto store = must(Store::open(bare));
  EXPECT_TRUE(must(store->list()).empty());
  EXPECT_ERROR(not_found, store->open_object(object_path(verity_digest("x"))));
  EXPECT_OK(pull(*must(Store::open_or_create(bare)), "a", {"x"}));
}

TEST_F(StoreTest, DefaultPathFollowsTheEnvironment) {
  ::setenv("INTACT_STORE", "/x/y", 1);
  EXPECT_EQ(Store::default_path(), "/x/y");
  ::unsetenv("INTACT_STORE");
  if (::geteuid() == 0) {
    EXPECT_EQ(Store::default_path(), "/var/lib/intact");
  } else {
    ::setenv("XDG_DATA_HOME", "/data", 1);
    EXPECT_EQ(Store::default_path(), "/data/intact");
  }
}

TEST_F(StoreTest, NamesAreListedFoundAndForgotten) {
  must(pull(*store_, "b/c:1", {"one"}));
  must(pull(*store_, "a", {"two"}));
  const auto list = must(store_->list());
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].name, "a");
  EXPECT_EQ(list[1].name, "b/c:1");
  EXPECT_EQ(list[1].source, "oci:test");
  EXPECT_GT(list[1].created, 0);
  EXPECT_EQ(list[1].size, 3 + TestImage({"one"}).text.size());
  EXPECT_OK(store_->remove("b/c:1"));
  EXPECT_ERROR(not_found, store_->find("b/c:1"));
  EXPECT_ERROR(not_found, store_->remove("b/c:1"));
  EXPECT_ERROR(invalid_argument, store_->find("oci:x"));
  // Its content stays until it is collected.
  expect_readable(*store_, {"one", "two"});
}

TEST_F(StoreTest, ADamagedRecordDoesNotHideTheOthers) {
  must(pull(*store_, "good", {"x"}));
  must(pull(*store_, "bad", {"y"}));
  must(write_file_durably(path_ + "/names/bad.json", as_bytes("{"), 0644));
  EXPECT_ERROR(malformed, store_->find("bad"));
  EXPECT_ERROR(malformed, store_->list());
  std::vector<Error> damaged;
  EXPECT_EQ(must(store_->list(&damaged)).size(), 1u);
  EXPECT_EQ(damaged.size(), 1u);
  // Another image's record under this name would be a mix-up.
  must(write_file_durably(path_ + "/names/bad.json",
                          must(read_file(path_ + "/names/good.json", 10000)), 0644));
  EXPECT_ERROR(malformed, store_->find("bad"));
  // Pulling repairs it.
  EXPECT_OK(pull(*store_, "bad", {"y"}));
  EXPECT_OK(store_->find("bad"));
}

TEST_F(StoreTest, BlobsAreHashedWhenTheyAreRead) {
  must(pull(*store_, "a", {"x"}));
  const NamedImage image = must(store_->find("a"));
  EXPECT_TRUE(must(store_->has_blob(image.manifest)));
  EXPECT_EQ(as_text(must(store_->read_blob(image.manifest, 1000))), TestImage({"x"}).manifest());
  EXPECT_ERROR(limit, store_->read_blob(image.manifest, 10));
  flip(path_ + "/blobs/" + blob_path(image.manifest), 3);
  EXPECT_ERROR(tampered, store_->read_blob(image.manifest, 1000));
  EXPECT_FALSE(must(store_->has_blob(verity_digest("none"))));
  EXPECT_ERROR(not_found, store_->read_blob(verity_digest("none"), 1000));
}

TEST_F(StoreTest, ObjectsAreOpenedWithoutLeavingTheStore) {
  must(pull(*store_, "a", {"content"}));
  const std::string path = object_path(verity_digest("content"));
  EXPECT_OK(store_->open_object(path));
  EXPECT_FALSE(store_->open_object("../names/a.json"));
  EXPECT_FALSE(store_->open_object("00/../" + path));
  EXPECT_FALSE(store_->open_object("./" + path));
  EXPECT_FALSE(store_->open_object("/etc/passwd"));
  EXPECT_FALSE(store_->open_object(""));
  ASSERT_EQ(::unlink(object_file("content").c_str()), 0);
  ASSERT_EQ(::symlink("/etc/passwd", object_file("content").c_str()), 0);
  EXPECT_ERROR(tampered, store_->open_object(path));
}

TEST_F(StoreTest, ImagesThatCouldNotBeHashedToTheirEndAreNotOpened) {
  must(pull(*store_, "a", {"content"}));
  const NamedImage image = must(store_->find("a"));
  const std::string path = path_ + "/images/" + image.image.digest.hex();
  ASSERT_EQ(::truncate(path.c_str(), static_cast<off_t>(kMaxImageSize)), 0);
  EXPECT_OK(store_->open_image(image.image.digest));
  ASSERT_EQ(::truncate(path.c_str(), static_cast<off_t>(kMaxImageSize) + 1), 0);
  EXPECT_ERROR(tampered, store_->open_image(image.image.digest));
}

TEST_F(StoreTest, ForeignObjectDirectoriesComeSecond) {
  const std::string other = dir_.path("other");
  const std::string content = make_content(10000, 1);
  must(pull(*must(Store::open_or_create(other)), "x", {content}));
  const std::string path = object_path(verity_digest(content));
  EXPECT_ERROR(not_found, store_->open_object(path));
  EXPECT_ERROR(not_found, store_->add_object_dir(dir_.path("missing"), DirectoryOrigin::user));
  EXPECT_OK(store_->add_object_dir(other + "/objects", DirectoryOrigin::user));
  EXPECT_OK(store_->add_object_dir(other + "/../other/objects", DirectoryOrigin::user));
  EXPECT_EQ(store_->object_dirs(), std::vector<std::string>{other + "/objects"});
  expect_readable(*store_, {content});
  EXPECT_OK(store_->open_unchecked_object(path));
}

TEST_F(StoreTest, DirectoriesOfARecordServeOnlyWhatIsChecked) {
  must(make_directories(dir_.path("host")));
  must(write_file_durably(dir_.path("host/secret"), as_bytes("x"), 0600));
  ASSERT_TRUE(store_->add_object_dir(dir_.path("host"), DirectoryOrigin::record));
  EXPECT_OK(store_->open_object("secret"));
  EXPECT_ERROR(not_found, store_->open_unchecked_object("secret"));
  ASSERT_TRUE(store_->add_object_dir(dir_.path("host"), DirectoryOrigin::user));
  EXPECT_OK(store_->open_unchecked_object("secret"));
}

TEST_F(StoreTest, TreesAreFoundByImageAndObject) {
  const std::string big = make_content(20000, 1);
  must(pull(*store_, "a", {big, "small"}));
  const Digest image = TestImage({big, "small"}).digest();
  EXPECT_TRUE(must(store_->tree_of(image, verity_digest(big))));
  EXPECT_FALSE(must(store_->tree_of(image, verity_digest("small"))));
  EXPECT_FALSE(must(store_->tree_of(verity_digest("other"), verity_digest(big))));
  // A damaged pack is as good as none.
  const auto reopened = must(Store::open(path_));
  flip(path_ + "/trees/" + image.hex(), 0);
  EXPECT_FALSE(must(reopened->tree_of(image, verity_digest(big))));
}

TEST_F(StoreTest, HasTheSameModesWhateverTheUmask) {
  const mode_t old = ::umask(077);
  const std::string path = dir_.path("private-umask");
  const auto store = must(Store::open_or_create(path, Access::shared));
  must(pull(*store, "a", {"x"}));
  ::umask(old);
  auto mode = [&](const std::string& sub) {
    struct stat st;
    EXPECT_EQ(::stat((path + sub).c_str(), &st), 0) << sub;
    return st.st_mode & 07777;
  };
  EXPECT_EQ(mode(""), 0755u);
  EXPECT_EQ(mode("/objects/" + object_directory(verity_digest("x"))), 0755u);
  EXPECT_EQ(mode("/objects/" + object_path(verity_digest("x"))), 0644u);
  EXPECT_EQ(mode("/names/a.json"), 0644u);
  EXPECT_EQ(mode("/images/" + TestImage({"x"}).digest().hex()), 0644u);
  EXPECT_EQ(mode("/staging"), 0700u);
  EXPECT_EQ(mode("/leases"), 0700u);
  EXPECT_EQ(mode("/gc.lock"), 0600u);
}

std::vector<std::string> names_in(const std::string& path) {
  return must(list_names(must(open_file(path, O_RDONLY | O_DIRECTORY)).get()));
}

unsigned mode_of(const std::string& path) {
  struct stat st;
  EXPECT_EQ(::stat(path.c_str(), &st), 0) << path;
  return st.st_mode & 07777;
}

TEST_F(StoreTest, IsPrivateUnlessShared) {
  must(make_directories(dir_.path("given")));
  ASSERT_EQ(::chmod(dir_.path("given").c_str(), 0755), 0);
  for (const char* name : {"new", "given"}) {
    const auto store = must(Store::open_or_create(dir_.path(name)));
    EXPECT_EQ(mode_of(dir_.path(name)), 0700u) << name;
    EXPECT_TRUE(store->notices().empty());
  }
  const auto shared = must(Store::open_or_create(dir_.path("new"), Access::shared));
  EXPECT_EQ(mode_of(dir_.path("new")), 0755u);
  // It stays so, and it stays the same store.
  const auto again = must(Store::open_or_create(dir_.path("new")));
  EXPECT_EQ(mode_of(dir_.path("new")), 0755u);
  EXPECT_TRUE(again->notices().empty());
  EXPECT_EQ(again->id(), shared->id());
}

TEST_F(StoreTest, OfAnOlderVersionIsMadePrivateWithANotice) {
  must(write_file_durably(path_ + "/intact-store.json", as_bytes("{\"version\":1}"), 0644));
  ASSERT_EQ(::chmod(path_.c_str(), 0755), 0);
  {
    const auto store = must(Store::open(path_));
    EXPECT_EQ(mode_of(path_), 0700u);
    ASSERT_EQ(store->notices().size(), 1u);
    EXPECT_NE(store->notices()[0].find("--shared"), std::string::npos);
    EXPECT_EQ(store->id(), "");
  }
  const auto store = must(Store::open_or_create(path_));
  EXPECT_TRUE(store->notices().empty());
  EXPECT_EQ(store->id().size(), 32u);
  EXPECT_EQ(must(Store::open(path_))->id(), store->id());
  // A group that its owner has let in stays.
  ASSERT_EQ(::chmod(path_.c_str(), 0750), 0);
  EXPECT_TRUE(must(Store::open(path_))->notices().empty());
  EXPECT_EQ(mode_of(path_), 0750u);
}

TEST_F(StoreTest, TellsItsPathAsGiven) {
  ASSERT_EQ(::symlink("store", dir_.path("link").c_str()), 0);
  const auto store = must(Store::open(dir_.path("./link/")));
  EXPECT_EQ(store->given_path(), dir_.path("link"));
  EXPECT_EQ(store->path(), path_);
  EXPECT_NE(must(Store::open_or_create(dir_.path("other")))->id(), store->id());
}

TEST_F(StoreTest, ADirectoryThatIsALinkIsRefused) {
  must(pull(*store_, "a", {"x"}));
  must(make_directories(dir_.path("outside")));
  const std::vector<std::string> ours = {"objects",      "images", "trees",
                                         "blobs/sha256", "names",  "blobs/sha512",
                                         "staging",      "blobs",  "leases"};
  for (const std::string& name : ours) {
    const std::string path = path_ + "/" + name;
    ASSERT_EQ(::rename(path.c_str(), dir_.path("kept").c_str()), 0);
    ASSERT_EQ(::symlink(dir_.path("outside").c_str(), path.c_str()), 0);
    EXPECT_FALSE(Store::open_or_create(path_)) << name;
    const auto store = must(Store::open(path_));
    if (name == "names") EXPECT_ERROR(tampered, store->remove("a"));
    if (name == "staging") EXPECT_ERROR(tampered, pull(*store, "b", {"y"}));
    EXPECT_TRUE((names_in(dir_.path("outside"))).empty()) << name;
    ASSERT_EQ(::unlink(path.c_str()), 0);
    ASSERT_EQ(::rename(dir_.path("kept").c_str(), path.c_str()), 0);
  }
  EXPECT_OK(pull(*must(Store::open_or_create(path_)), "b", {"y"}));
}

TEST_F(StoreTest, ADirectoryThatIsReplacedLaterIsNotFollowed) {
  must(pull(*store_, "a", {"x"}));
  must(store_->find("a"));
  must(make_directories(dir_.path("outside")));
  must(write_file_durably(dir_.path("outside/a.json"), as_bytes("precious"), 0644));
  ASSERT_EQ(::rename((path_ + "/names").c_str(), dir_.path("kept").c_str()), 0);
  ASSERT_EQ(::symlink(dir_.path("outside").c_str(), (path_ + "/names").c_str()), 0);
  EXPECT_OK(pull(*store_, "b", {"y"}));
  EXPECT_OK(store_->remove("a"));
  EXPECT_EQ((names_in(dir_.path("outside"))), std::vector<std::string>{"a.json"});
  EXPECT_EQ((names_in(dir_.path("kept"))), std::vector<std::string>{"b.json"});
}

TEST_F(StoreTest, CanBeReadByAUserWhoMayNotWrite) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
  must(Store::open_or_create(path_, Access::shared));
  must(pull(*store_, "a", {"x"}));
  ASSERT_EQ(::chmod(dir_.path().c_str(), 0755), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(9);
    const auto store = Store::open(path_);
    if (!store) ::_exit(1);
    const auto image = (*store)->find("a");
    if (!image || !(*store)->list() || !(*store)->open_image(image->image.digest)) ::_exit(2);
    if (!(*store)->read_blob(image->manifest, 1000)) ::_exit(3);
    const auto lease = Lease::take(**store, *image);
    if (!lease || lease->held()) ::_exit(4);
    const auto checked = check(**store, {.list_objects = object_lister(**store)});
    if (!checked || !checked->ok() || checked->objects != 1) ::_exit(5);
    const auto counted = collect(**store, true);
    if (!counted) ::_exit(6);
    if (collect(**store) || (*store)->remove("a") || pull(**store, "b", {"y"})) ::_exit(7);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_TRUE(store_->find("a"));
}

TEST_F(StoreTest, OnAReadOnlyFileSystemCanBeRead) {
  must(pull(*store_, "a", {"x"}));
  const std::string at = dir_.path("ro");
  must(make_directories(at));
  if (::mount(path_.c_str(), at.c_str(), nullptr, MS_BIND, nullptr) != 0)
    GTEST_SKIP() << "cannot mount here";
  ASSERT_EQ(::mount(nullptr, at.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr), 0);
  {
    const auto store = must(Store::open(at));
    EXPECT_OK(store->find("a"));
    EXPECT_FALSE(must(Lease::take(*store, must(store->find("a")))).held());
    EXPECT_TRUE(fsck(*store).ok());
    EXPECT_ERROR(io, pull(*store, "b", {"y"}));
    EXPECT_ERROR(io, store->remove("a"));
    EXPECT_ERROR(io, collect(*store));
    EXPECT_OK(collect(*store, true));
  }
  EXPECT_EQ(::umount2(at.c_str(), MNT_DETACH), 0);
}

}  // namespace
}  // namespace intact::store
