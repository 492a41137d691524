#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>
#include <pthread.h>

#include <intact/base/thread.h>
#include <intact/base/worker_pool.h>

namespace intact {
namespace {

/// While it lives no thread can be started: there is no room for a stack of that size.
class NoThreads {
 public:
  NoThreads() {
    ::pthread_attr_init(&before_);
    ::pthread_getattr_default_np(&before_);
    pthread_attr_t huge;
    ::pthread_attr_init(&huge);
    ::pthread_attr_setstacksize(&huge, std::size_t{1} << 48);
    EXPECT_EQ(::pthread_setattr_default_np(&huge), 0);
    ::pthread_attr_destroy(&huge);
  }
  ~NoThreads() {
    ::pthread_setattr_default_np(&before_);
    ::pthread_attr_destroy(&before_);
  }
  NoThreads(const NoThreads&) = delete;
  NoThreads& operator=(const NoThreads&) = delete;

 private:
  pthread_attr_t before_;
};

TEST(StartThread, SaysThatThereMayBeNoMore) {
  {
    const NoThreads none;
    for (const auto& thread : {start_thread([] {}), start_thread([] {})}) {
      ASSERT_FALSE(thread);
      EXPECT_EQ(thread.error().kind(), ErrorKind::io);
      EXPECT_EQ(thread.error().sys_errno(), EAGAIN);
    }
  }
  bool ran = false;
  auto thread = start_thread([&] { ran = true; });
  ASSERT_TRUE(thread);
  thread->join();
  EXPECT_TRUE(ran);
}

TEST(StartThread, KeepsSignalsFromThoseThatWantNone) {
  sigset_t mask;
  auto thread = start_thread([&] { ::pthread_sigmask(SIG_SETMASK, nullptr, &mask); });
  ASSERT_TRUE(thread);
  thread->join();
  EXPECT_EQ(::sigismember(&mask, SIGTERM), 1);
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  EXPECT_EQ(::sigismember(&mask, SIGTERM), 0);
}

std::string beside() {
  auto text = run_beside([text = std::make_unique<std::string>("all of it")] { return *text; });
  return text.get();
}

TEST(RunBeside, LosesNothingWhereThereAreNoThreads) {
  EXPECT_EQ(beside(), "all of it");
  const NoThreads none;
  EXPECT_EQ(beside(), "all of it");
}

TEST(WorkerPool, WorksWithoutThreads) {
  const NoThreads none;
  WorkerPool pool(2, 1);
  int done = 0;
  const auto job = [&]() -> Result<void> {
    ++done;
    return {};
  };
  for (int i = 0; i < 5; ++i) pool.submit(job);
  EXPECT_TRUE(pool.wait());
  EXPECT_EQ(done, 5);

  pool.submit([] { return Result<void>(Error(ErrorKind::io, "first")); });
  pool.submit(job);
  EXPECT_TRUE(pool.failed());
  const auto outcome = pool.wait();
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().message(), "first");
  EXPECT_EQ(done, 5);
  pool.submit(job);
  EXPECT_TRUE(pool.wait());
  EXPECT_EQ(done, 6);
}

}  // namespace
}  // namespace intact
