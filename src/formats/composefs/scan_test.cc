#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/composefs/scan.h>
#include <intact/fsverity/tree.h>

#include "object_directory.h"
#include "testing.h"

namespace intact::composefs {
namespace {

class Scan : public testing::Test {
 protected:
  void SetUp() override {
    auto temp = TempDir::create();
    ASSERT_TRUE(temp);
    temp_.emplace(*std::move(temp));
    ASSERT_EQ(::mkdir(path("t").c_str(), 0755), 0);
    put("t/empty", "");
    put("t/small", std::string(64, 's'));
    put("t/large", std::string(65, 'l'));
    ASSERT_EQ(::mkdir(path("t/sub").c_str(), 0700), 0);
    put("t/sub/same", std::string(65, 'l'));
    ASSERT_EQ(::symlink("no/where", path("t/link").c_str()), 0);
    ASSERT_EQ(::link(path("t/small").c_str(), path("t/sub/other").c_str()), 0);
    ASSERT_EQ(::mkfifo(path("t/fifo").c_str(), 0600), 0);
  }
  std::string path(const std::string& name) const { return temp_->path(name); }
  void put(const std::string& name, const std::string& content) {
    std::ofstream(path(name)) << content;
  }
  tree::Tree scan(const ScanOptions& options = {}) {
    auto tree = scan_directory(path("t"), options);
    if (tree) return *std::move(tree);
    ADD_FAILURE() << tree.error().message();
    return {};
  }

  std::optional<TempDir> temp_;
};

TEST_F(Scan, TakesEveryKindOfFile) {
  const tree::Tree tree = scan();
  EXPECT_EQ(tree.root().entries.size(), 6u);
  const auto small = tree.find("/small");
  EXPECT_EQ(small->content, std::string(64, 's'));
  EXPECT_EQ(small->digest, fsverity::digest_of(as_bytes(small->content)));
  EXPECT_EQ(small->payload, object_path(*small->digest));
  const auto large = tree.find("/large");
  EXPECT_EQ(large->content, "");
  EXPECT_EQ(large->attributes.size, 65u);
  EXPECT_EQ(large->digest, fsverity::digest_of(as_bytes(std::string(65, 'l'))));
  EXPECT_EQ(tree.find("/sub/same")->payload, large->payload);
  EXPECT_FALSE(tree.find("/empty")->digest);
  EXPECT_EQ(tree.find("/empty")->payload, "");
  EXPECT_EQ(tree.find("/link")->payload, "no/where");
  EXPECT_TRUE(S_ISFIFO(tree.find("/fifo")->attributes.mode));
  EXPECT_EQ(tree.find("/sub")->attributes.mode, std::uint32_t{S_IFDIR | 0700});
  // Every name is a file of its own.
  EXPECT_EQ(tree.find("/sub/other")->attributes.nlink, 1u);
  EXPECT_NE(tree.find("/sub/other"), small);
  struct stat st;
  ASSERT_EQ(::lstat(path("t/large").c_str(), &st), 0);
  EXPECT_EQ(large->attributes.mtime.seconds, st.st_mtim.tv_sec);
  EXPECT_EQ(large->attributes.mtime.nanoseconds, st.st_mtim.tv_nsec);
}

TEST_F(Scan, EpochMakesTimesZero) {
  const tree::Tree tree = scan({.use_epoch = true});
  EXPECT_EQ(tree.root().attributes.mtime, tree::Timestamp{});
  EXPECT_EQ(tree.find("/sub/same")->attributes.mtime, tree::Timestamp{});
}

TEST_F(Scan, AttributesAreChosen) {
  if (::setxattr(path("t/large").c_str(), "user.a", "1\0", 2, 0) != 0)
    GTEST_SKIP() << "the temporary directory takes no user attributes";
  const bool trusted = ::setxattr(path("t/large").c_str(), "trusted.b", "2", 1, 0) == 0;
  const tree::Tree all = scan();
  EXPECT_EQ(all.find("/large")->find_xattr("user.a")->value, std::string("1\0", 2));
  EXPECT_EQ(all.find("/large")->find_xattr("trusted.b") != nullptr, trusted);
  EXPECT_THAT(scan({.user_xattrs = true}).find("/large")->xattrs, testing::SizeIs(1));
  EXPECT_THAT(scan({.skip_xattrs = true}).find("/large")->xattrs, testing::IsEmpty());
  EXPECT_FALSE(scan_directory(path("t"), {.skip_xattrs = true, .user_xattrs = true}));
}

TEST_F(Scan, DevicesCanBeLeftOut) {
  if (::mknod(path("t/dev").c_str(), S_IFCHR | 0600, 259) != 0)
    GTEST_SKIP() << "device nodes need root";
  EXPECT_EQ(scan().find("/dev")->attributes.rdev, 259u);
  EXPECT_FALSE(scan({.skip_devices = true}).find("/dev"));
  EXPECT_TRUE(scan({.skip_devices = true}).find("/fifo"));
}

TEST_F(Scan, FillsAnObjectDirectory) {
  for (const unsigned threads : {1u, 4u}) {
    const std::string store = path("store" + std::to_string(threads)) + "/below";
    const tree::Tree tree = scan({.digest_store = store, .threads = threads});
    const std::string object = store + "/" + tree.find("/large")->payload;
    const auto content = read_file(object, 1000);
    ASSERT_TRUE(content);
    EXPECT_EQ(as_text(*content), std::string(65, 'l'));
    struct stat st;
    ASSERT_EQ(::stat(object.c_str(), &st), 0);
    EXPECT_EQ(st.st_mode, mode_t{S_IFREG | 0644});
    EXPECT_NE(::access((store + "/" + tree.find("/small")->payload).c_str(), F_OK), 0);
    // One folder with one object: no temporary files are left.
    EXPECT_EQ(std::distance(std::filesystem::recursive_directory_iterator(store),
                            std::filesystem::recursive_directory_iterator()),
              2);
  }
}

TEST_F(Scan, ExistingObjectsStay) {
  const std::string store = path("store");
  const tree::Tree tree = scan({.digest_store = store});
  const std::string object = store + "/" + tree.find("/large")->payload;
  struct stat before;
  struct stat after;
  ASSERT_EQ(::stat(object.c_str(), &before), 0);
  scan({.digest_store = store});
  ASSERT_EQ(::stat(object.c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino);
}

TEST_F(Scan, AnObjectOfOtherContentIsNeverStored) {
  auto store = ObjectDirectory::open(path("store"));
  ASSERT_TRUE(store);
  const auto file = open_file(path("t/large"), O_RDONLY);
  ASSERT_TRUE(file);
  const Digest right = fsverity::digest_of(as_bytes(std::string(65, 'l')));
  const Digest wrong = fsverity::digest_of(as_bytes("something else"));
  EXPECT_FALSE((*store)->add(file->get(), wrong));
  EXPECT_NE(::access(path("store/" + object_path(wrong)).c_str(), F_OK), 0);
  EXPECT_TRUE((*store)->add(file->get(), right));
  EXPECT_TRUE((*store)->add(file->get(), right));  // again
  EXPECT_NE(::access(path("store/" + object_path(right)).c_str(), F_OK), 0) << "not durable yet";
  EXPECT_TRUE((*store)->sync());
  EXPECT_EQ(::access(path("store/" + object_path(right)).c_str(), F_OK), 0);
}

TEST_F(Scan, ObjectsThatWereNotFinishedLeaveNothing) {
  {
    auto store = ObjectDirectory::open(path("store"));
    ASSERT_TRUE(store);
    const std::string content(100, 'x');
    ASSERT_TRUE((*store)->add(as_bytes(content), fsverity::digest_of(as_bytes(content))));
  }
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path("store")))
    EXPECT_TRUE(entry.is_directory()) << entry.path();
}

TEST_F(Scan, NoObjectIsWrittenThroughASymlink) {
  const std::string content(100, 'x');
  const Digest digest = fsverity::digest_of(as_bytes(content));
  const std::string folder = digest.hex().substr(0, 2);
  for (const bool link : {true, false}) {
    const std::string store = path(link ? "linked" : "plain");
    ASSERT_EQ(::mkdir(store.c_str(), 0755), 0);
    ASSERT_EQ(::mkdir((store + "-elsewhere").c_str(), 0755), 0);
    if (link) {
      ASSERT_EQ(::symlink((store + "-elsewhere").c_str(), (store + "/" + folder).c_str()), 0);
    }
    auto objects = ObjectDirectory::open(store);
    ASSERT_TRUE(objects);
    EXPECT_EQ((*objects)->add(as_bytes(content), digest) && (*objects)->sync(), !link);
    EXPECT_TRUE(std::filesystem::is_empty(store + "-elsewhere"));
    EXPECT_EQ(::access((store + "/" + object_path(digest)).c_str(), F_OK) == 0, !link);
  }
}

TEST_F(Scan, ErrorsNameTheFile) {
  const auto missing = scan_directory(path("nowhere"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind(), ErrorKind::not_found);
  const auto file = scan_directory(path("t/large"));
  ASSERT_FALSE(file);
  if (::geteuid() == 0) return;  // root may read everything
  ASSERT_EQ(::chmod(path("t/large").c_str(), 0), 0);
  const auto forbidden = scan_directory(path("t"));
  ASSERT_FALSE(forbidden);
  EXPECT_THAT(forbidden.error().message(), testing::HasSubstr("t/large"));
}

TEST(ObjectPath, IsTwoDigitsAndTheRest) {
  const auto digest = Digest::parse_hex(std::string(62, 'a') + "bc");
  ASSERT_TRUE(digest);
  EXPECT_EQ(object_path(*digest), "aa/" + std::string(60, 'a') + "bc");
}

}  // namespace
}  // namespace intact::composefs
