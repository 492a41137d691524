#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <intact/base/result.h>

namespace intact {

/// A fixed number of threads and a bounded queue of jobs. The first error is kept, jobs still
/// queued are then dropped, and wait() returns it. Thread-safe; jobs must not call submit() or
/// wait(). If the system refuses threads there are fewer; without any,
/// submit() runs the job itself.
class WorkerPool {
 public:
  using Job = std::function<Result<void>()>;

  /// `threads` 0 means one for each processor that this process may use.
  /// submit() blocks while `queue_limit` jobs are waiting: that is what bounds memory.
  explicit WorkerPool(unsigned threads = 0, std::size_t queue_limit = 64);
  ~WorkerPool();  ///< drops jobs that have not begun, joins the threads
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// Queues a job. After an error the job is dropped silently; wait() returns the error.
  void submit(Job job);
  /// Blocks until every job has ended; returns the first error since the last wait().
  Result<void> wait();
  /// Whether a job has failed: long producers check this from time to time and stop early.
  bool failed() const;

 private:
  void work();
  void run(Job job, std::unique_lock<std::mutex>& lock);

  mutable std::mutex mutex_;
  std::condition_variable ready_;  ///< a job is queued, or there will be none
  std::condition_variable room_;   ///< the queue has room, or there was an error
  std::condition_variable idle_;   ///< nothing is queued or running
  std::deque<Job> queue_;
  std::size_t queue_limit_;
  std::size_t running_ = 0;
  bool stop_ = false;
  std::optional<Error> error_;
  std::vector<std::thread> threads_;
};

/// Processors that this process may run on (sched_getaffinity), at least 1.
unsigned available_processors();

}  // namespace intact
