#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <ctime>
#include <deque>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <intact/base/file.h>
#include <intact/base/line_log.h>
#include <intact/base/thread.h>
#include <intact/base/unique_fd.h>
#include <intact/base/visible.h>

namespace intact {
namespace {

constexpr std::chrono::seconds kPatience(2);

std::string with_time(std::string_view line) {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  char time[40];
  time[std::strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S%z", &local)] = '\0';
  return fmt::format("{} {}\n", time, visible_message(line));
}

}  // namespace

DistinctLines::Verdict DistinctLines::add(std::string_view line) {
  std::string key(line);
  const std::lock_guard lock(mutex_);
  if (lines_.contains(key)) return Verdict::known;
  if (full_) return Verdict::over;
  if (lines_.size() >= kMaxLines || bytes_ + key.size() > kMaxBytes) {
    full_ = true;
    return Verdict::full;
  }
  bytes_ += key.size();
  lines_.insert(std::move(key));
  return Verdict::fresh;
}

void DistinctLines::forget(std::string_view line) {
  const std::lock_guard lock(mutex_);
  const auto found = lines_.find(line);
  if (found == lines_.end()) return;
  bytes_ -= line.size();
  lines_.erase(found);
}

/// Shared with the thread that writes, which may outlive the log: no one can make it return from a
/// write that nobody reads. So it has a descriptor of its own, which nobody closes below it.
struct LineLog::Queue {
  UniqueFd fd;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::string> lines;
  std::size_t bytes = 0;
  std::size_t lost = 0;     // since the reader was last told
  std::size_t written = 0;  // pieces, to see whether there is progress
  bool started = false;
  bool ending = false;     // nothing is added any more
  bool abandoned = false;  // nothing is written any more
  bool ended = false;      // the thread does no more

  /// Whether the line fits.
  bool push(std::string line) {
    const std::lock_guard lock(mutex);
    if (bytes + line.size() > kMaxQueued) {
      ++lost;
      return false;
    }
    bytes += line.size();
    lines.push_back(std::move(line));
    changed.notify_all();
    return true;
  }

  /// Writes what is queued until the end.
  void write() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [this] { return ending || lost != 0 || !lines.empty(); });
      if (lines.empty() && lost != 0) {
        lines.push_back(with_time(fmt::format("{} lines were not logged: the reader was too slow",
                                              std::exchange(lost, 0))));
        bytes += lines.back().size();
      }
      if (lines.empty() || abandoned) break;
      const std::string line = std::move(lines.front());
      lines.pop_front();
      bytes -= line.size();
      for (std::size_t done = 0; done < line.size() && !abandoned;) {
        lock.unlock();
        const ssize_t count = ::write(fd.get(), line.data() + done, line.size() - done);
        const int reason = errno;
        lock.lock();
        if (count < 0 && reason != EINTR) break;
        if (count > 0) done += static_cast<std::size_t>(count);
        ++written;
        changed.notify_all();
      }
    }
    fd.reset();
    ended = true;
    changed.notify_all();
  }
};

LineLog::LineLog(int fd) : fd_(fd) {
  struct stat st;
  if (::fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) return;
  UniqueFd own(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!own) return;
  queue_ = std::make_shared<Queue>();
  queue_->fd = std::move(own);
}

LineLog::~LineLog() {
  finish();
}

void LineLog::finish() {
  if (!queue_) return;
  std::unique_lock lock(queue_->mutex);
  queue_->ending = true;
  queue_->changed.notify_all();
  while (queue_->started && !queue_->ended) {
    const std::size_t before = queue_->written;
    if (queue_->changed.wait_for(lock, kPatience,
                                 [&] { return queue_->ended || queue_->written != before; }))
      continue;
    queue_->abandoned = true;
    return;
  }
}

void LineLog::add(std::string_view line) {
  const std::lock_guard lock(adding_);
  const bool cut = line.size() > kMaxLineSize;
  const std::string text = std::string(line.substr(0, kMaxLineSize)) + (cut ? "..." : "");
  switch (seen_.add(text)) {
    case DistinctLines::Verdict::fresh:
      return write_line(text);
    case DistinctLines::Verdict::full:
      return write_line("too many different lines: no more are logged");
    case DistinctLines::Verdict::known:
    case DistinctLines::Verdict::over:
      return;
  }
}

void LineLog::write_line(std::string_view line) {
  std::string text = with_time(line);
  if (queue_ && !queue_->started) {
    auto thread = start_thread([queue = queue_] { queue->write(); });
    if (thread) {
      thread->detach();
      const std::lock_guard lock(queue_->mutex);
      queue_->started = true;
    }
  }
  // Where there can be no thread, a line late is better than none.
  if (!queue_ || !queue_->started)
    (void)write_all(fd_, as_bytes(text));
  else if (!queue_->push(std::move(text)))
    seen_.forget(line);
}

}  // namespace intact
