#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

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
  // Pulling mends it.
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
  const std::string path = path_ + "/images/" + image.image.hex();
  ASSERT_EQ(::truncate(path.c_str(), static_cast<off_t>(kMaxImageSize)), 0);
  EXPECT_OK(store_->open_image(image.image));
  ASSERT_EQ(::truncate(path.c_str(), static_cast<off_t>(kMaxImageSize) + 1), 0);
  EXPECT_ERROR(tampered, store_->open_image(image.image));
}

TEST_F(StoreTest, ForeignObjectDirectoriesComeSecond) {
  const std::string other = dir_.path("other");
  const std::string content = make_content(10000, 1);
  must(pull(*must(Store::open_or_create(other)), "x", {content}));
  const std::string path = object_path(verity_digest(content));
  EXPECT_ERROR(not_found, store_->open_object(path));
  EXPECT_ERROR(not_found, store_->add_object_dir(dir_.path("missing")));
  EXPECT_OK(store_->add_object_dir(other + "/objects"));
  EXPECT_OK(store_->add_object_dir(other + "/../other/objects"));
  EXPECT_EQ(store_->object_dirs(), std::vector<std::string>{other + "/objects"});
  expect_readable(*store_, {content});
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

TEST_F(StoreTest, InRootsStoreEverybodyMayReadWhateverTheUmask) {
  const mode_t old = ::umask(077);
  const std::string path = dir_.path("private-umask");
  const auto store = must(Store::open_or_create(path));
  must(pull(*store, "a", {"x"}));
  ::umask(old);
  auto mode = [&](const std::string& sub) {
    struct stat st;
    EXPECT_EQ(::stat((path + sub).c_str(), &st), 0) << sub;
    return st.st_mode & 07777;
  };
  EXPECT_EQ(mode(""), ::geteuid() == 0 ? 0755u : 0700u);
  EXPECT_EQ(mode("/objects/" + object_directory(verity_digest("x"))), 0755u);
  EXPECT_EQ(mode("/objects/" + object_path(verity_digest("x"))), 0644u);
  EXPECT_EQ(mode("/names/a.json"), 0644u);
  EXPECT_EQ(mode("/images/" + TestImage({"x"}).digest().hex()), 0644u);
  EXPECT_EQ(mode("/staging"), 0700u);
  EXPECT_EQ(mode("/leases"), 0700u);
  EXPECT_EQ(mode("/gc.lock"), 0600u);
}

TEST_F(StoreTest, CanBeReadByAUserWhoMayNotWrite) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
  must(pull(*store_, "a", {"x"}));
  ASSERT_EQ(::chmod(dir_.path().c_str(), 0755), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(9);
    const auto store = Store::open(path_);
    if (!store) ::_exit(1);
    const auto image = (*store)->find("a");
    if (!image || !(*store)->list() || !(*store)->open_image(image->image)) ::_exit(2);
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
