#include <ctime>

#include <fmt/format.h>

#include <intact/base/file.h>
#include <intact/base/line_log.h>
#include <intact/base/thread.h>
#include <intact/base/visible.h>

namespace intact {

LineLog::~LineLog() {
  if (!writer_.joinable()) return;
  {
    const std::lock_guard lock(queue_mutex_);
    ending_ = true;
  }
  queue_changed_.notify_one();
  writer_.join();
}

void LineLog::write_queued() {
  std::unique_lock lock(queue_mutex_);
  for (;;) {
    queue_changed_.wait(lock, [this] { return ending_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const std::string text = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    (void)write_all(fd_, as_bytes(text));
    lock.lock();
  }
}

void LineLog::add(std::string_view line) {
  const std::lock_guard lock(writing_);
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
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  char time[40];
  time[std::strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S%z", &local)] = '\0';
  std::string text = fmt::format("{} {}\n", time, visible_message(line));
  if (reader_ == Reader::may_wait_for_us && !writer_.joinable()) {
    if (auto started = start_thread_without_signals([this] { write_queued(); }))
      writer_ = std::move(*started);
  }
  if (!writer_.joinable()) {
    (void)write_all(fd_, as_bytes(text));
    return;
  }
  {
    const std::lock_guard lock(queue_mutex_);
    queue_.push_back(std::move(text));
  }
  queue_changed_.notify_one();
}

}  // namespace intact
