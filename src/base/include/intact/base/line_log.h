#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace intact {

/// Remembers which lines it has seen, within a limit on their number and on the memory that they
/// take, so that a log that hostile input can write to has an end. Thread-safe.
class DistinctLines {
 public:
  static constexpr std::size_t kMaxLines = 100000;
  /// Bytes of all lines together.
  static constexpr std::size_t kMaxBytes = 8 << 20;

  enum class Verdict {
    fresh,  ///< seen for the first time
    known,  ///< seen before
    full,   ///< the limit has just been reached: returned once
    over,   ///< the limit was reached earlier; nothing more is remembered
  };

  Verdict add(std::string_view line);
  /// The line is fresh again.
  void forget(std::string_view line);

 private:
  std::mutex mutex_;
  std::size_t bytes_ = 0;
  bool full_ = false;
  std::set<std::string, std::less<>> lines_;  ///< sorted: lines cannot be chosen to collide
};

/// Writes lines with a time to a descriptor, each different line once: a damaged block is met again
/// at every attempt to read it. Lines go through visible_message(), so that no name forges a line
/// or steers a terminal, and long ones are cut. Stops at the limits of DistinctLines. Thread-safe.
///
/// add() never waits for a reader, who may be slow, stopped, or waiting for the very thread that
/// logs: a program that reads a file that we serve into the pipe that we log to keeps that pipe
/// locked until the read is answered. Only a regular file is written directly; for everything else
/// a thread, started by the first line, writes what is queued. What does not fit into the queue is
/// lost, and a line says how many lines were. No fork may follow the first line.
class LineLog {
 public:
  /// Longer lines are cut here; in bytes.
  static constexpr std::size_t kMaxLineSize = 8192;
  /// Bytes that wait for a slow reader.
  static constexpr std::size_t kMaxQueued = 1 << 20;

  explicit LineLog(int fd);  ///< `fd` is borrowed
  LineLog(const LineLog&) = delete;
  LineLog& operator=(const LineLog&) = delete;
  /// Calls finish().
  ~LineLog();

  void add(std::string_view line);
  /// Waits until all lines are written, but not for a reader that takes nothing for two seconds.
  /// Later lines are lost.
  void finish();

 private:
  struct Queue;
  void write_line(std::string_view line);

  int fd_;
  std::mutex adding_;  ///< keeps the lines of a log in order and whole
  DistinctLines seen_;
  std::shared_ptr<Queue> queue_;  ///< null: written directly
};

}  // namespace intact
