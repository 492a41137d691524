#include <algorithm>
#include <filesystem>
#include <thread>

#include <sys/stat.h>

#include <intact/fsverity/verified_file.h>

#include "test_images.h"

namespace intact::store {
namespace {

ino_t inode_of(const std::string& path) {
  struct stat st;
  EXPECT_EQ(::stat(path.c_str(), &st), 0) << path;
  return st.st_ino;
}

TEST_F(StoreTest, ACommittedImageIsAllThere) {
  // Around the sizes where the buffer, a block and a level of the tree end.
  std::vector<std::string> contents;
  for (std::size_t size : {65, 4095, 4096, 4097, 262143, 262144, 262145, 524288, 524289, 1000000})
    contents.push_back(make_content(size, static_cast<unsigned>(size)));
  must(pull(*store_, "a", contents));
  const TestImage image(contents);
  expect_readable(*store_, contents);
  EXPECT_EQ(as_text(must(read_fd(must(store_->open_image(image.digest())).get(), 1 << 20))),
            image.text);
  EXPECT_TRUE(entries("staging").empty());
  EXPECT_TRUE(fsck(*store_).ok());
  // Each tree lets one block be verified.
  for (const std::string& content : contents) {
    const Digest digest = verity_digest(content);
    auto file = must(fsverity::VerifiedFile::open(must(store_->open_object(object_path(digest))),
                                                  content.size(), digest,
                                                  must(store_->tree_of(image.digest(), digest))));
    Bytes tail(1);
    EXPECT_OK(file->read(content.size() - 1, tail));
    EXPECT_EQ(file->refused_hash_blocks(), 0u);
  }
}

TEST(StoreOnDisk, WorksAsInMemory) {
  const TempDir dir = must(TempDir::create());
  const auto store = must(Store::open_or_create(dir.path("store")));
  const std::vector<std::string> contents = {make_content(300000, 1), "x"};
  must(pull(*store, "a", contents));
  must(pull(*store, "b", contents));
  must(store->remove("a"));
  must(collect(*store));
  expect_readable(*store, contents);
  EXPECT_TRUE(fsck(*store).ok());
}

TEST_F(StoreTest, HooksSeeANameChangeAndNobodyComesBetween) {
  const std::vector<std::string> old = {"old"};
  const std::vector<std::string> fresh = {"new"};
  must(pull(*store_, "a", old));
  const auto manifest_of = [](const std::vector<std::string>& contents) {
    return TestImage(contents).record("a").manifest;
  };
  const UniqueFd names = must(open_at(store_->dir_fd(), kNamesLock, O_RDWR));
  int calls = 0;
  const NamingHooks hooks{
      .before = [&]() -> Result<void> {
        EXPECT_EQ(calls++, 0);
        EXPECT_EQ(must(store_->find("a")).manifest, manifest_of(old));
        EXPECT_FALSE(must(try_lock_exclusive(names.get())));
        return {};
      },
      .after =
          [&] {
            EXPECT_EQ(calls++, 1);
            EXPECT_EQ(must(store_->find("a")).manifest, manifest_of(fresh));
            EXPECT_FALSE(must(try_lock_exclusive(names.get())));
          },
  };
  const TestImage image(fresh);
  const auto commit = [&](const NamingHooks& with) -> Result<void> {
    auto transaction = must(Transaction::begin(*store_));
    must(stage(*transaction, image, fresh));
    return transaction->commit(image.record("a"), true, image.objects, with);
  };
  const NamingHooks refuses{
      .before = [] { return Result<void>(Error(ErrorKind::busy, "not now")); },
      .after = [] { ADD_FAILURE() << "after a commit that was refused"; },
  };
  EXPECT_ERROR(busy, commit(refuses));
  EXPECT_EQ(must(store_->find("a")).manifest, manifest_of(old));
  EXPECT_OK(commit(hooks));
  EXPECT_EQ(calls, 2);
  EXPECT_TRUE(must(try_lock_exclusive(names.get())));
}

TEST_F(StoreTest, ContentMayArriveInPiecesOfAnySize) {
  const std::string content = make_content(700000, 5);
  auto transaction = must(Transaction::begin(*store_));
  for (std::size_t step :
       {std::size_t{1000}, std::size_t{262144}, std::size_t{300000}, content.size()}) {
    auto writer = must(transaction->new_object());
    for (std::size_t at = 0; at < content.size(); at += step)
      must(writer->write(as_bytes(std::string_view(content).substr(at, step))));
    const StagedObject object = must(writer->finish());
    EXPECT_EQ(object.digest, verity_digest(content));
    EXPECT_EQ(object.size, content.size());
  }
  EXPECT_EQ(must(transaction->add_object(as_bytes(content))).digest, verity_digest(content));
  // lock, pack and one file: duplicates are not kept twice.
  EXPECT_EQ(entries("staging/" + entries("staging").at(0)).size(), 3u);
}

TEST_F(StoreTest, DirectoriesAreMovedWholeOrMerged) {
  std::vector<std::string> contents;
  for (unsigned i = 0; i < 2000; ++i) contents.push_back(make_content(65, i));
  const std::vector<std::string> first(contents.begin(), contents.begin() + 1000);
  {
    // Beside many other files, and objects that the image does not refer to.
    auto transaction = must(Transaction::begin(*store_));
    for (unsigned i = 0; i < 300; ++i) {
      const std::string blob = make_content(10, i);
      must(transaction->add_blob(crypto::sha256(as_bytes(blob)), as_bytes(blob)));
    }
    for (const std::string& content : contents) must(transaction->add_object(as_bytes(content)));
    const TestImage image(first);
    must(stage(*transaction, image, first));
    must(transaction->commit(image.record("first"), false, image.objects));
  }
  EXPECT_EQ(entries("objects").size(), 251u);
  const auto count = [this] {
    std::size_t sum = 0;
    for (const std::string& dir : entries("objects")) sum += entries("objects/" + dir).size();
    return sum;
  };
  EXPECT_EQ(count(), 1000u);
  expect_readable(*store_, first);
  must(pull(*store_, "all", contents));
  EXPECT_EQ(count(), 2000u);
  expect_readable(*store_, contents);
  EXPECT_TRUE(fsck(*store_).ok());
  EXPECT_EQ(must(collect(*store_)).objects, 0u);
}

TEST_F(StoreTest, WithoutCommitNothingStays) {
  const TestImage image({"x", make_content(300000, 1)});
  {
    auto transaction = must(Transaction::begin(*store_));
    must(stage(*transaction, image, {"x", make_content(300000, 1)}));
    auto unfinished = must(transaction->new_object());
    must(unfinished->write(as_bytes(make_content(500000, 2))));
    EXPECT_EQ(entries("staging").size(), 1u);
    unfinished.reset();
  }
  EXPECT_TRUE(entries("staging").empty());
  EXPECT_TRUE(entries("images").empty());
  EXPECT_EQ(must(collect(*store_)).removed(), 0u);
}

TEST_F(StoreTest, ObjectsThatNothingRefersToAreNotPublished) {
  const TestImage image({"wanted"});
  auto transaction = must(Transaction::begin(*store_));
  must(stage(*transaction, image, {"wanted", "unwanted"}));
  must(transaction->commit(image.record("a"), false, image.objects));
  transaction.reset();
  EXPECT_TRUE(exists(object_file("wanted")));
  EXPECT_FALSE(exists(object_file("unwanted")));
}

TEST_F(StoreTest, CommitRefusesWhatHasNotBeenStaged) {
  const TestImage image({"x"});
  {
    auto transaction = must(Transaction::begin(*store_));
    must(stage(*transaction, image, {}));
    EXPECT_ERROR(invalid_argument, transaction->commit(image.record("a"), false, image.objects));
  }
  {
    auto transaction = must(Transaction::begin(*store_));
    must(transaction->add_object(as_bytes("x")));
    EXPECT_ERROR(invalid_argument, transaction->commit(image.record("a"), false, image.objects));
  }
  {
    auto transaction = must(Transaction::begin(*store_));
    must(stage(*transaction, image, {"x"}));
    EXPECT_ERROR(invalid_argument,
                 transaction->commit(image.record("tar:a"), false, image.objects));
  }
  EXPECT_TRUE(must(store_->list()).empty());
  EXPECT_OK(pull(*store_, "a", {"x"}));
}

TEST_F(StoreTest, ANameIsReplacedOnlyWhenAskedFor) {
  must(pull(*store_, "a", {"one"}));
  EXPECT_OK(pull(*store_, "a", {"one"}));
  EXPECT_ERROR(exists, pull(*store_, "a", {"two"}));
  EXPECT_EQ(must(store_->find("a")).image.digest, TestImage({"one"}).digest());
  EXPECT_OK(pull(*store_, "a", {"two"}, true));
  EXPECT_EQ(must(store_->find("a")).image.digest, TestImage({"two"}).digest());
}

TEST_F(StoreTest, SharedObjectsAreStoredOnce) {
  const std::string shared = make_content(300000, 1);
  must(pull(*store_, "a", {shared, "a"}));
  const ino_t before = inode_of(object_file(shared));
  must(pull(*store_, "b", {shared, "b"}));
  EXPECT_EQ(inode_of(object_file(shared)), before);
  EXPECT_TRUE(must(store_->tree_of(TestImage({shared, "b"}).digest(), verity_digest(shared))));
}

TEST_F(StoreTest, ADamagedObjectIsNotReusedButReplaced) {
  for (const std::string& content : {make_content(300000, 1), std::string("small")}) {
    must(pull(*store_, "a", {content}));
    const Digest digest = verity_digest(content);
    {
      auto transaction = must(Transaction::begin(*store_));
      EXPECT_TRUE(must(transaction->reuse_object(digest, content.size())));
    }
    flip(object_file(content), content.size() / 2);
    {
      auto transaction = must(Transaction::begin(*store_));
      EXPECT_FALSE(must(transaction->reuse_object(digest, content.size())));
      EXPECT_FALSE(must(transaction->reuse_object(digest, content.size() + 1)));
    }
    EXPECT_FALSE(fsck(*store_).ok());
    must(pull(*store_, "a", {content}));
    EXPECT_TRUE(fsck(*store_).ok());
    must(store_->remove("a"));
  }
}

TEST_F(StoreTest, WhatStandsInAnObjectsPlaceIsNotFollowed) {
  const std::string content = make_content(5000, 1);
  const std::string outside = dir_.path("outside");
  must(write_file_durably(outside, as_bytes(content), 0644));
  must(make_directories(path_ + "/objects/" + object_directory(verity_digest(content))));
  ASSERT_EQ(::symlink(outside.c_str(), object_file(content).c_str()), 0);
  auto transaction = must(Transaction::begin(*store_));
  EXPECT_FALSE(must(transaction->reuse_object(verity_digest(content), content.size())));
  transaction.reset();
  must(pull(*store_, "a", {content}));
  expect_readable(*store_, {content});
  EXPECT_TRUE(fsck(*store_).ok());
}

TEST_F(StoreTest, ReusedObjectsSurviveACollectionMeanwhile) {
  const std::string content = make_content(300000, 1);
  must(pull(*store_, "a", {content}));
  const TestImage image({content});
  auto transaction = must(Transaction::begin(*store_));
  ASSERT_TRUE(must(transaction->reuse_object(image.objects[0], content.size())));
  const Digest manifest = image.record("b").manifest;
  ASSERT_TRUE(must(transaction->reuse_blob(manifest, image.manifest().size())));
  must(store_->remove("a"));
  EXPECT_EQ(must(collect(*store_)).objects, 1u);
  EXPECT_FALSE(exists(object_file(content)));
  must(transaction->add_image(as_bytes(image.text), image.tree()));
  EXPECT_OK(transaction->commit(image.record("b"), false, image.objects));
  transaction.reset();
  expect_readable(*store_, {content});
  EXPECT_TRUE(fsck(*store_).ok());
}

TEST_F(StoreTest, BlobsMayBeReadIntoWhatTheirWriterLends) {
  auto transaction = must(Transaction::begin(*store_));
  const std::string content = make_content(5'000'000, 3);
  // `pieces` in turn, 0 for as much as is lent.
  const auto write = [&](std::vector<std::size_t> pieces, const Digest& expected) -> Result<void> {
    const auto writer = must(transaction->new_blob());
    ByteSpan rest = as_bytes(content);
    for (std::size_t i = 0; !rest.empty(); ++i) {
      const std::size_t piece = pieces[i % pieces.size()];
      const MutableByteSpan space = writer->space();
      EXPECT_GT(space.size(), 0u);
      const std::size_t n = std::min({rest.size(), space.size(), piece ? piece : space.size()});
      std::copy_n(rest.begin(), n, space.begin());
      EXPECT_OK(writer->take(n));
      rest = rest.subspan(n);
      const std::size_t copied = std::min<std::size_t>(rest.size(), i % 3);
      EXPECT_OK(writer->write(rest.first(copied)));
      rest = rest.subspan(copied);
    }
    return writer->finish(expected);
  };
  const Digest digest = crypto::sha256(as_bytes(content));
  const Digest other = crypto::sha256(as_bytes("other"));
  for (const std::vector<std::size_t>& pieces :
       {std::vector<std::size_t>{0}, {1000}, {1000, 0, 0, 700'000, 1}}) {
    EXPECT_ERROR(tampered, write(pieces, other));
    EXPECT_ERROR(not_found, transaction->open_blob(other));
    EXPECT_OK(write(pieces, digest));
    const auto fd = must(transaction->open_blob(digest));
    EXPECT_EQ(as_text(must(read_fd(fd.get(), content.size() + 1))), content);
    must(transaction->drop_blob(digest));
  }
}

TEST_F(StoreTest, BlobsAreCheckedOnTheirWayIn) {
  auto transaction = must(Transaction::begin(*store_));
  const Digest digest = crypto::sha256(as_bytes("blob"));
  EXPECT_ERROR(tampered, transaction->add_blob(digest, as_bytes("blub")));
  EXPECT_ERROR(not_found, transaction->open_blob(digest));
  EXPECT_OK(transaction->add_blob(digest, as_bytes("blob")));
  EXPECT_OK(transaction->add_blob(digest, as_bytes("blob")));
  EXPECT_EQ(as_text(must(read_fd(must(transaction->open_blob(digest)).get(), 10))), "blob");
  const Digest other = crypto::hash(HashAlgorithm::sha512, as_bytes("sha512"));
  EXPECT_OK(transaction->add_blob(other, as_bytes("sha512")));
  EXPECT_OK(transaction->drop_blob(digest));
  EXPECT_ERROR(not_found, transaction->drop_blob(digest));
  const TestImage image({});
  must(stage(*transaction, image, {}));
  must(transaction->commit(image.record("a"), false, {}));
  EXPECT_FALSE(must(store_->has_blob(digest)));
  EXPECT_TRUE(must(store_->has_blob(other)));
  EXPECT_EQ(must(store_->find("a")).blobs.size(), 2u);
  EXPECT_TRUE(fsck(*store_).ok());
}

TEST_F(StoreTest, ABlobGoesOnWhereAnAttemptEnded) {
  const std::string content = make_content(3'000'000, 7);
  const Digest digest = crypto::sha256(as_bytes(content));
  const std::string part = "staging/part-sha256-" + digest.hex();
  const auto attempt = [&](const std::string& expect_first, std::size_t until, bool ends) {
    auto transaction = must(Transaction::begin(*store_));
    auto writer = must(transaction->continue_blob(digest, content.size()));
    EXPECT_EQ(writer->size(), expect_first.size());
    if (writer->size() < until)
      must(writer->write(as_bytes(content).subspan(writer->size(), until - writer->size())));
    EXPECT_EQ(writer->size(), std::max(until, expect_first.size()));
    return ends ? writer->finish(digest) : Result<void>();
  };
  // Two that end early, also while another one is at the same.
  EXPECT_OK(attempt("", 1'000'000, false));
  EXPECT_OK(attempt(content.substr(0, 1'000'000), 2'000'000, false));
  EXPECT_EQ(entries("staging"), std::vector<std::string>{"part-sha256-" + digest.hex()});
  // One that is not committed leaves all of it.
  EXPECT_OK(attempt(content.substr(0, 2'000'000), content.size(), true));
  EXPECT_OK(attempt(content, content.size(), true));
  // A damaged part is noticed at the end, and begins no other attempt.
  must(write_file_durably(path_ + "/" + part, as_bytes("damaged"), 0644));
  EXPECT_ERROR(tampered, attempt("damaged", content.size(), true));
  EXPECT_OK(attempt("", 10, false));
  // One that is longer than the blob is not believed, nor is what is not a file.
  must(write_file_durably(path_ + "/" + part, as_bytes(content + "more"), 0644));
  EXPECT_OK(attempt(content, content.size(), true));
  std::filesystem::remove(path_ + "/" + part);
  std::filesystem::create_symlink(path_ + "/intact-store.json", path_ + "/" + part);
  EXPECT_OK(attempt("", 10, false));
  std::filesystem::remove(path_ + "/" + part);
  ASSERT_EQ(::mkfifo((path_ + "/" + part).c_str(), 0600), 0);
  EXPECT_OK(attempt("", 10, false));
  EXPECT_EQ(must(collect(*store_)).staging, 1u);
  EXPECT_TRUE(entries("staging").empty());
  EXPECT_TRUE(fsck(*store_).ok());
}

TEST_F(StoreTest, PartsThatNobodyComesBackForGo) {
  const auto leave = [&](const std::string& content) {
    const Digest digest = crypto::sha256(as_bytes(content));
    const auto transaction = must(Transaction::begin(*store_));
    const auto writer = must(transaction->continue_blob(digest, content.size()));
    must(writer->write(as_bytes(content).first(10)));
    return "part-sha256-" + digest.hex();
  };
  const std::string content = make_content(1000, 9);
  const std::string old = leave(content), recent = leave(make_content(1000, 10));
  const auto age = [&](const std::string& part, std::time_t days) {
    const timespec time{std::time(nullptr) - days * 24 * 3600, 0};
    const timespec times[] = {time, time};
    ASSERT_EQ(::utimensat(AT_FDCWD, (path_ + "/staging/" + part).c_str(), times, 0), 0);
  };
  age(old, 8);
  age(recent, 6);
  const std::string last = leave(make_content(1000, 11));
  EXPECT_THAT(entries("staging"), testing::UnorderedElementsAre(recent, last));
}

TEST_F(StoreTest, ACommittedBlobLeavesNoPart) {
  const std::string content = make_content(1000, 8);
  const Digest digest = crypto::sha256(as_bytes(content));
  const std::vector<std::string> contents = {"x"};
  const TestImage image(contents);
  auto transaction = must(Transaction::begin(*store_));
  must(stage(*transaction, image, contents));
  auto writer = must(transaction->continue_blob(digest, content.size()));
  must(writer->write(as_bytes(content)));
  // Garbage is collected meanwhile.
  must(collect(*store_));
  must(writer->finish(digest));
  must(transaction->commit(image.record("a"), false, image.objects));
  transaction.reset();
  EXPECT_TRUE(entries("staging").empty());
  EXPECT_EQ(as_text(must(store_->read_blob(digest, 10'000))), content);
}

TEST_F(StoreTest, ADamagedBlobIsNotReused) {
  must(pull(*store_, "a", {"x"}));
  const TestImage image({"x"});
  const Digest digest = image.record("a").manifest;
  auto transaction = must(Transaction::begin(*store_));
  EXPECT_TRUE(must(transaction->reuse_blob(digest, image.manifest().size())));
  flip(path_ + "/blobs/" + blob_path(digest), 1);
  auto second = must(Transaction::begin(*store_));
  EXPECT_FALSE(must(second->reuse_blob(digest, image.manifest().size())));
  EXPECT_FALSE(must(second->reuse_blob(digest, 1)));
}

TEST_F(StoreTest, ObjectsOfForeignDirectoriesAreUsedWhereTheyLie) {
  const std::string content = make_content(10000, 1);
  const std::string other = dir_.path("other");
  must(pull(*must(Store::open_or_create(other)), "x", {content}));
  must(store_->add_object_dir(other + "/objects", DirectoryOrigin::user));
  must(pull(*store_, "a", {content, "own"}));
  EXPECT_FALSE(exists(object_file(content)));
  EXPECT_EQ(must(store_->find("a")).object_dirs, std::vector<std::string>{other + "/objects"});
  EXPECT_TRUE(must(store_->tree_of(TestImage({content, "own"}).digest(), verity_digest(content))));
  // A check finds the directory by the record.
  const auto reopened = must(Store::open(path_));
  EXPECT_TRUE(fsck(*reopened).ok());
  flip(other + "/objects/" + object_path(verity_digest(content)), 5000);
  const FsckReport report = fsck(*reopened);
  ASSERT_EQ(report.damaged.size(), 1u);
  ASSERT_TRUE(report.damaged[0].range);
  EXPECT_EQ(report.damaged[0].range->first, 1u);
  // Damaged there, it is taken from the source.
  must(pull(*store_, "a", {content, "own"}));
  EXPECT_TRUE(exists(object_file(content)));
  EXPECT_TRUE(fsck(*must(Store::open(path_))).ok());
}

TEST_F(StoreTest, ManyThreadsMayWriteOneImage) {
  std::vector<std::string> contents;
  for (unsigned i = 0; i < 400; ++i) contents.push_back(make_content(65 + i * 37 % 9000, i % 300));
  const TestImage image(contents);
  auto transaction = must(Transaction::begin(*store_));
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      // Overlapping shares: the same content comes from two threads at once.
      for (std::size_t i = t / 2; i < contents.size(); i += 2) {
        auto writer = must(transaction->new_object());
        must(writer->write(as_bytes(contents[i])));
        must(writer->finish());
      }
    });
  for (std::thread& thread : threads) thread.join();
  must(stage(*transaction, image, {}));
  must(transaction->commit(image.record("a"), false, image.objects));
  expect_readable(*store_, contents);
  EXPECT_TRUE(fsck(*store_).ok());
}

TEST_F(StoreTest, TransactionsWithTheSameObjectsRunAtOnce) {
  std::vector<std::string> shared;
  for (unsigned i = 0; i < 40; ++i) shared.push_back(make_content(100 + i * 400, i));
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      std::vector<std::string> contents = shared;
      contents.push_back("own " + std::to_string(t));
      for (int round = 0; round < 3; ++round)
        must(pull(*store_, "image" + std::to_string(t), contents));
    });
  threads.emplace_back([&] {
    for (int round = 0; round < 10; ++round) must(collect(*store_));
  });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(must(store_->list()).size(), 4u);
  EXPECT_TRUE(fsck(*store_).ok());
  EXPECT_EQ(must(collect(*store_)).removed(), 0u);
}

}  // namespace
}  // namespace intact::store
