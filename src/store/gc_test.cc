#include <thread>

#include <sys/stat.h>
#include <sys/wait.h>

#include "test_images.h"

namespace intact::store {
namespace {

TEST_F(StoreTest, GarbageIsWhatNoNameRefersTo) {
  const std::string shared = make_content(9000, 1);
  must(pull(*store_, "a", {shared, "only a"}));
  must(pull(*store_, "b", {shared, "only b"}));
  EXPECT_EQ(must(collect(*store_)).removed(), 0u);
  must(store_->remove("a"));
  const GcReport promised = must(collect(*store_, true));
  EXPECT_TRUE(exists(object_file("only a")));
  const GcReport report = must(collect(*store_));
  for (const GcReport& one : {promised, report}) {
    EXPECT_EQ(one.objects, 1u);
    EXPECT_EQ(one.images, 1u);
    EXPECT_EQ(one.trees, 1u);
    EXPECT_EQ(one.blobs, 1u);
    EXPECT_EQ(one.kept_objects, 2u);
    EXPECT_EQ(one.kept_images, 1u);
    EXPECT_GT(one.bytes, 9000u / 127);
  }
  EXPECT_EQ(promised.bytes, report.bytes);
  EXPECT_FALSE(exists(object_file("only a")));
  expect_readable(*store_, {shared, "only b"});
  EXPECT_TRUE(fsck(*store_).ok());
}

TEST_F(StoreTest, DirectoriesThatBecomeEmptyGo) {
  must(pull(*store_, "a", {"x"}));
  must(pull(*store_, "b", {"y"}));
  must(make_directories(path_ + "/objects/zz"));
  ASSERT_EQ(entries("objects").size(), 3u);
  must(store_->remove("a"));
  must(collect(*store_, true));
  EXPECT_EQ(entries("objects").size(), 3u);
  must(collect(*store_));
  EXPECT_EQ(entries("objects").size(), 2u);  // the one of "y", and the one that is not ours
  expect_readable(*store_, {"y"});
  must(pull(*store_, "a", {"x"}));
  expect_readable(*store_, {"x", "y"});
}

TEST_F(StoreTest, ForeignFilesAreNeverCollected) {
  must(pull(*store_, "a", {"x"}));
  must(make_directories(path_ + "/objects/ab"));
  const std::vector<std::string> foreign = {"/objects/ab/notes.txt", "/objects/README",
                                            "/images/new",           "/blobs/md5",
                                            "/names/a.txt",          "/mine"};
  for (const std::string& path : foreign) must(write_file_durably(path_ + path, {}, 0644));
  EXPECT_EQ(must(collect(*store_)).removed(), 0u);
  for (const std::string& path : foreign) EXPECT_TRUE(exists(path_ + path)) << path;
}

TEST_F(StoreTest, IfAnythingIsUnreadableNothingIsCollected) {
  must(pull(*store_, "good", {"x"}));
  must(pull(*store_, "gone", {"y"}));
  must(store_->remove("gone"));
  const Digest image = TestImage({"x"}).digest();
  const std::string file = path_ + "/images/" + image.hex();

  flip(file, 1);
  EXPECT_ERROR(tampered, collect(*store_));
  EXPECT_ERROR(tampered, collect(*store_, true));
  flip(file, 1);
  ASSERT_EQ(::rename(file.c_str(), (file + "x").c_str()), 0);
  EXPECT_ERROR(tampered, collect(*store_));
  ASSERT_EQ(::rename((file + "x").c_str(), file.c_str()), 0);
  must(write_file_durably(path_ + "/names/bad.json", as_bytes("{}"), 0644));
  EXPECT_ERROR(tampered, collect(*store_));
  EXPECT_TRUE(exists(object_file("y")));

  // The way out that the message names.
  EXPECT_OK(store_->remove("bad"));
  EXPECT_EQ(must(collect(*store_)).objects, 1u);
}

TEST_F(StoreTest, WhatDeadTransactionsLeftIsCollected) {
  must(make_directories(path_ + "/staging/0123"));
  must(write_file_durably(path_ + "/staging/0123/lock", {}, 0644));
  must(write_file_durably(path_ + "/staging/0123/1", as_bytes("1234"), 0644));
  must(make_directories(path_ + "/staging/0123/ab"));
  must(write_file_durably(path_ + "/staging/0123/ab/cdef", as_bytes("123"), 0644));
  must(make_directories(path_ + "/staging/4567/ab"));
  must(write_file_durably(path_ + "/names/.a.json.tmp12.34", as_bytes("12"), 0644));
  must(write_file_durably(path_ + "/leases/" + lease_name(verity_digest("x")), {}, 0600));
  const GcReport report = must(collect(*store_));
  EXPECT_EQ(report.staging, 3u);
  EXPECT_EQ(report.leases, 1u);
  EXPECT_EQ(report.bytes, 9u);
  EXPECT_TRUE(entries("staging").empty());
  EXPECT_TRUE(entries("names").empty());
  EXPECT_TRUE(entries("leases").empty());
}

TEST_F(StoreTest, ARunningTransactionIsLeftAlone) {
  const std::vector<std::string> contents = {"x", make_content(300000, 1)};
  const TestImage image(contents);
  auto transaction = must(Transaction::begin(*store_));
  must(stage(*transaction, image, contents));
  EXPECT_EQ(must(collect(*store_)).removed(), 0u);
  const pid_t child = ::fork();  // and from another process
  if (child == 0) {
    const auto report = collect(*must(Store::open(path_)));
    ::_exit(report && report->removed() == 0 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_OK(transaction->commit(image.record("a"), false, image.objects));
  transaction.reset();
  expect_readable(*store_, contents);
}

TEST_F(StoreTest, ALeaseKeepsAnImageAfterItsNameIsGone) {
  must(pull(*store_, "a", {"x"}));
  const NamedImage image = must(store_->find("a"));
  {
    const Lease lease = must(Lease::take(*store_, image));
    EXPECT_TRUE(lease.held());
    must(store_->remove("a"));
    EXPECT_EQ(must(collect(*store_)).removed(), 0u);
    expect_readable(*store_, {"x"});
    EXPECT_OK(store_->read_blob(image.manifest, 1000));
    EXPECT_EQ(fsck(*store_).garbage, 0u);
  }
  EXPECT_TRUE(entries("leases").empty());
  EXPECT_EQ(must(collect(*store_)).objects, 1u);
  EXPECT_ERROR(not_found, Lease::take(*store_, image));
}

TEST_F(StoreTest, ALeaseWithoutARecordKeepsTheImageAllTheSame) {
  must(pull(*store_, "a", {"x"}));
  const NamedImage image = must(store_->find("a"));
  const Lease lease = must(Lease::take(*store_, image));
  ASSERT_EQ(::truncate((path_ + "/leases/" + entries("leases").at(0)).c_str(), 0), 0);
  must(store_->remove("a"));
  must(collect(*store_));
  expect_readable(*store_, {"x"});
}

TEST_F(StoreTest, ALeaseLivesInAForkedProcessAndDiesWithIt) {
  must(pull(*store_, "a", {"x"}));
  int pipes[2];
  ASSERT_EQ(::pipe(pipes), 0);
  pid_t child = -1;
  {
    const Lease lease = must(Lease::take(*store_, must(store_->find("a"))));
    child = ::fork();
    if (child == 0) {
      char c;
      ::close(pipes[1]);
      (void)!::read(pipes[0], &c, 1);  // until killed
      ::_exit(0);
    }
  }  // the parent's part of the lease ends here
  must(store_->remove("a"));
  EXPECT_EQ(must(collect(*store_)).removed(), 0u);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  const GcReport report = must(collect(*store_));
  EXPECT_EQ(report.leases, 1u);
  EXPECT_EQ(report.objects, 1u);
  ::close(pipes[0]);
  ::close(pipes[1]);
}

TEST_F(StoreTest, LeasesCanBeMoved) {
  must(pull(*store_, "a", {"x"}));
  Lease first = must(Lease::take(*store_, must(store_->find("a"))));
  Lease second = std::move(first);
  EXPECT_FALSE(first.held());
  EXPECT_TRUE(second.held());
  EXPECT_EQ(entries("leases").size(), 1u);
  second = must(Lease::take(*store_, must(store_->find("a"))));
  EXPECT_EQ(entries("leases").size(), 1u);
}

TEST_F(StoreTest, PullsMountsRemovalsAndCollectionsRunAtOnce) {
  const std::vector<std::string> contents = {make_content(5000, 1), make_content(5000, 2), "x"};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t)
    threads.emplace_back([&, t] {
      const std::string name = "image" + std::to_string(t);
      for (int round = 0; round < 15; ++round) {
        must(pull(*store_, name, contents));
        {
          const auto lease = Lease::take(*store_, must(store_->find(name)));
          must(store_->remove(name));
          if (lease) expect_readable(*store_, contents);
        }
      }
    });
  threads.emplace_back([&] {
    for (int round = 0; round < 30; ++round) must(collect(*store_));
  });
  for (std::thread& thread : threads) thread.join();
  must(collect(*store_));
  EXPECT_EQ(must(collect(*store_)).kept_objects, 0u);
  EXPECT_TRUE(fsck(*store_).ok());
}

}  // namespace
}  // namespace intact::store
