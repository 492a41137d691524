#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include <intact/base/worker_pool.h>

namespace intact {
namespace {

TEST(WorkerPool, DoesEveryJobAlsoWithAShortQueueAndManySubmitters) {
  WorkerPool pool(3, 1);
  std::atomic<int> done = 0;
  for (int round = 1; round <= 3; ++round) {
    {
      std::vector<std::jthread> submitters;
      for (int i = 0; i < 4; ++i)
        submitters.emplace_back([&] {
          for (int job = 0; job < 250; ++job)
            pool.submit([&]() -> Result<void> {
              ++done;
              return {};
            });
        });
    }
    EXPECT_TRUE(pool.wait());
    EXPECT_EQ(done, round * 1000);
  }
}

TEST(WorkerPool, TheFirstErrorDropsWhatIsQueuedAndWaitTellsOfItOnce) {
  WorkerPool pool(1, 2);
  pool.submit([]() -> Result<void> { return Error(ErrorKind::io, "first"); });
  while (!pool.failed()) std::this_thread::yield();
  bool ran = false;
  // More than the queue holds: nobody may wait for room that nobody makes.
  for (int i = 0; i < 10; ++i)
    pool.submit([&]() -> Result<void> {
      ran = true;
      return Error(ErrorKind::io, "second");
    });
  const auto outcome = pool.wait();
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().message(), "first");
  EXPECT_FALSE(ran);
  EXPECT_FALSE(pool.failed());

  pool.submit([&]() -> Result<void> {
    ran = true;
    return {};
  });
  EXPECT_TRUE(pool.wait());
  EXPECT_TRUE(ran);
}

TEST(WorkerPool, WaitReturnsAtOnceWhenThereIsNothingToDo) {
  WorkerPool pool(2);
  EXPECT_TRUE(pool.wait());
  EXPECT_TRUE(pool.wait());
}

}  // namespace
}  // namespace intact
