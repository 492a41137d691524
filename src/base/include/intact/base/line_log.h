#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include <intact/base/distinct_lines.h>

namespace intact {

/// Writes lines with a time to a descriptor, each different line once: a damaged block is met again
/// at every attempt to read it. Lines go through visible_message(), so that no name forges a line
/// or steers a terminal, and long ones are cut. Stops at the limits of DistinctLines. Thread-safe.
class LineLog {
 public:
  /// Longer lines are cut here; in bytes.
  static constexpr std::size_t kMaxLineSize = 8192;

  enum class Reader {
    independent,  ///< add() writes the line itself
    /// For stderr of a process that serves files: a program that reads such a file into the same
    /// pipe keeps that pipe locked until the read is answered. add() never waits; a thread, started
    /// by the first line, writes. No fork may follow.
    may_wait_for_us,
  };

  explicit LineLog(int fd, Reader reader = Reader::independent)  ///< `fd` is borrowed
      : fd_(fd), reader_(reader) {}
  LineLog(const LineLog&) = delete;
  LineLog& operator=(const LineLog&) = delete;
  /// Waits until all lines are written.
  ~LineLog();

  void add(std::string_view line);

 private:
  void write_line(std::string_view line);
  void write_queued();

  int fd_;
  Reader reader_;
  std::mutex writing_;  ///< keeps the lines of a log in order and whole
  DistinctLines seen_;

  std::mutex queue_mutex_;
  std::condition_variable queue_changed_;
  std::deque<std::string> queue_;  ///< no more than `seen_` lets through
  bool ending_ = false;
  std::thread writer_;
};

}  // namespace intact
