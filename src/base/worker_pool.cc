#include <algorithm>

#include <sched.h>

#include <intact/base/thread.h>
#include <intact/base/worker_pool.h>

namespace intact {

unsigned available_processors() {
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) != 0)
    return std::max(1u, std::thread::hardware_concurrency());
  return static_cast<unsigned>(std::max(1, CPU_COUNT(&set)));
}

WorkerPool::WorkerPool(unsigned threads, std::size_t queue_limit)
    : queue_limit_(std::max<std::size_t>(1, queue_limit)) {
  if (threads == 0) threads = available_processors();
  while (threads_.size() < threads) {
    auto thread = start_thread([this] { work(); });
    if (!thread) break;
    threads_.push_back(std::move(*thread));
  }
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    queue_.clear();
  }
  ready_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void WorkerPool::submit(Job job) {
  std::unique_lock lock(mutex_);
  if (threads_.empty()) {
    if (!error_) run(std::move(job), lock);
    return;
  }
  room_.wait(lock, [this] { return queue_.size() < queue_limit_ || error_; });
  if (error_) return;
  queue_.push_back(std::move(job));
  ready_.notify_one();
}

Result<void> WorkerPool::wait() {
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [this] { return queue_.empty() && running_ == 0; });
  if (!error_) return {};
  Error error = std::move(*error_);
  error_.reset();
  return error;
}

bool WorkerPool::failed() const {
  const std::lock_guard lock(mutex_);
  return error_.has_value();
}

void WorkerPool::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ready_.wait(lock, [this] { return stop_ || !queue_.empty(); });
    if (stop_) return;
    Job job = std::move(queue_.front());
    queue_.pop_front();
    room_.notify_one();
    run(std::move(job), lock);
  }
}

/// Does a job without the lock, which is held before and after.
void WorkerPool::run(Job job, std::unique_lock<std::mutex>& lock) {
  ++running_;
  lock.unlock();
  auto result = job();
  job = nullptr;  // what the job holds is released before wait() may return
  lock.lock();
  --running_;
  if (!result && !error_) {
    error_ = std::move(result).error();
    queue_.clear();
    room_.notify_all();
  }
  if (queue_.empty() && running_ == 0) idle_.notify_all();
}

}  // namespace intact
