#include <sys/stat.h>

#include "test_images.h"

namespace intact::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class FsckTest : public StoreTest {
 protected:
  FsckTest() {
    must(pull(*store_, "a", {big_, "small"}));
    must(pull(*store_, "b", {big_}));
  }
  /// The only damage there is.
  StoreDamage only_damage() {
    const FsckReport report = fsck(*store_);
    EXPECT_EQ(report.damaged.size(), 1u);
    return report.damaged.empty() ? StoreDamage() : report.damaged[0];
  }
  std::string big_ = make_content(20000, 1);
  TestImage a_ = TestImage({big_, "small"});
};

TEST_F(FsckTest, OfAGoodStoreCountsAndFindsNothing) {
  const FsckReport report = fsck(*store_);
  EXPECT_TRUE(report.ok());
  EXPECT_EQ(report.names, 2u);
  EXPECT_EQ(report.images, 2u);
  EXPECT_EQ(report.objects, 2u);
  EXPECT_EQ(report.blobs, 2u);
  EXPECT_GT(report.bytes, 20000u);
  EXPECT_EQ(report.garbage, 0u);
  EXPECT_TRUE(report.foreign.empty());
}

TEST_F(FsckTest, TellsTheBlockOfAnObject) {
  flip(object_file(big_), 9000);
  const StoreDamage damage = only_damage();
  EXPECT_THAT(damage.images, ElementsAre("a", "b"));
  EXPECT_EQ(damage.path, "/file1");
  EXPECT_EQ(damage.object, "objects/" + object_path(verity_digest(big_)));
  EXPECT_EQ(damage.range, (DamagedRange{.first = 2, .offset = 8192, .bytes = 4096}));
  flip(object_file(big_), 9000);
  EXPECT_TRUE(fsck(*store_).ok());
}

TEST_F(FsckTest, TellsEveryBlockAndEveryObject) {
  flip(object_file(big_), 0);
  flip(object_file(big_), 19999);
  flip(object_file("small"), 0);
  EXPECT_EQ(fsck(*store_).damaged.size(), 3u);
}

TEST_F(FsckTest, NamesEveryImageThatNeedsWhatIsDamaged) {
  must(pull(*store_, "also a", {big_, "small"}));
  flip(object_file("small"), 0);
  EXPECT_THAT(only_damage().images, ElementsAre("a", "also a"));
  flip(object_file("small"), 0);
  for (const std::string& file : {"blobs/" + blob_path(a_.record("a").manifest),
                                  "images/" + a_.digest().hex(), "trees/" + a_.digest().hex()}) {
    flip(path_ + "/" + file, 0);
    EXPECT_THAT(only_damage().images, ElementsAre("a", "also a")) << file;
    flip(path_ + "/" + file, 0);
  }
  EXPECT_TRUE(fsck(*store_).ok());
}

TEST_F(FsckTest, ListsNoMoreThanItIsAskedToAndCountsTheRest) {
  for (const std::uint64_t block : {0, 1, 2, 3, 4}) flip(object_file(big_), block * 4096);
  const FsckReport report = must(
      check(*store_, {.list_objects = object_lister(*store_), .threads = 2, .max_damaged = 2}));
  EXPECT_EQ(report.damaged.size(), 2u);
  EXPECT_EQ(report.omitted, 3u);
  EXPECT_FALSE(report.ok());
}

TEST_F(FsckTest, TellsObjectsOfTheWrongSize) {
  ASSERT_EQ(::truncate(object_file(big_).c_str(), 19999), 0);
  EXPECT_EQ(only_damage().path, "/file1");
  ASSERT_EQ(::truncate(object_file(big_).c_str(), 20001), 0);
  EXPECT_GE(fsck(*store_).damaged.size(), 1u);
  // Sparse, and so long that hashing it would never end.
  ASSERT_EQ(::truncate(object_file(big_).c_str(), off_t{1} << 42), 0);
  EXPECT_THAT(only_damage().reason, HasSubstr("4398046511104 bytes"));
}

TEST_F(FsckTest, TellsWhatIsMissing) {
  ASSERT_EQ(::unlink(object_file("small").c_str()), 0);
  StoreDamage damage = only_damage();
  EXPECT_EQ(damage.path, "/file2");
  EXPECT_THAT(damage.reason, HasSubstr("missing"));
  must(pull(*store_, "a", {big_, "small"}));
  ASSERT_EQ(::unlink((path_ + "/blobs/" + blob_path(a_.record("a").manifest)).c_str()), 0);
  EXPECT_THAT(only_damage().object, HasSubstr("blobs/sha256/"));
  must(pull(*store_, "a", {big_, "small"}));
  ASSERT_EQ(::unlink((path_ + "/trees/" + a_.digest().hex()).c_str()), 0);
  EXPECT_THAT(only_damage().object, HasSubstr("trees/"));
  must(pull(*store_, "a", {big_, "small"}));
  ASSERT_EQ(::unlink((path_ + "/images/" + a_.digest().hex()).c_str()), 0);
  damage = only_damage();
  EXPECT_THAT(damage.images, ElementsAre("a"));
  EXPECT_THAT(damage.object, HasSubstr("images/"));
  must(pull(*store_, "a", {big_, "small"}));
  EXPECT_TRUE(fsck(*store_).ok());
}

TEST_F(FsckTest, TellsDamageOfBlobsTreesImagesAndNames) {
  flip(path_ + "/blobs/" + blob_path(a_.record("a").manifest), 0);
  EXPECT_THAT(only_damage().object, HasSubstr("blobs/sha256/"));
  must(pull(*store_, "a", {big_, "small"}));

  const std::string pack = path_ + "/trees/" + a_.digest().hex();
  for (std::uint64_t offset : {0, 20, 64, 200}) {  // magic, table, tree
    flip(pack, offset);
    EXPECT_EQ(only_damage().object, "trees/" + a_.digest().hex()) << offset;
    flip(pack, offset);
  }
  flip(path_ + "/images/" + a_.digest().hex(), 2);
  const StoreDamage damage = only_damage();
  EXPECT_EQ(damage.object, "images/" + a_.digest().hex());
  EXPECT_EQ(damage.range.value_or(DamagedRange{.first = 9}).first, 0u);
  must(pull(*store_, "a", {big_, "small"}));

  must(write_file_durably(path_ + "/names/a.json", as_bytes("{}"), 0644));
  EXPECT_EQ(only_damage().object, "names/a.json");
  must(pull(*store_, "a", {big_, "small"}));
  EXPECT_TRUE(fsck(*store_).ok());
}

TEST_F(FsckTest, TellsANameWhoseImageWasNeverThere) {
  must(write_file_durably(path_ + "/names/dangling.json",
                          must(read_file(path_ + "/names/a.json", 10000)), 0644));
  EXPECT_EQ(only_damage().object, "names/dangling.json");
}

TEST_F(FsckTest, CountsRubbishAndNamesForeignFiles) {
  must(store_->remove("a"));
  must(make_directories(path_ + "/staging/dead"));
  must(make_directories(path_ + "/objects/ab"));
  must(write_file_durably(path_ + "/objects/ab/notes", {}, 0644));
  must(write_file_durably(path_ + "/mine", {}, 0644));
  const FsckReport report = fsck(*store_);
  EXPECT_TRUE(report.ok());
  const GcReport collected = must(collect(*store_));
  EXPECT_EQ(report.garbage, collected.removed());
  EXPECT_EQ(report.garbage, 5u);
  EXPECT_EQ(report.garbage_bytes, collected.bytes);
  EXPECT_EQ(report.foreign, (std::vector<std::string>{"mine", "objects/ab/notes"}));
}

TEST_F(FsckTest, DoesNotCallObjectsRubbishWhenAnImageIsUnreadable) {
  flip(path_ + "/images/" + a_.digest().hex(), 2);
  EXPECT_EQ(fsck(*store_).garbage, 0u);
}

}  // namespace
}  // namespace intact::store
