#pragma once

#include <mutex>
#include <string_view>

#include <intact/base/distinct_lines.h>

namespace intact {

/// Writes lines with a time to a descriptor, each different line once: a damaged block is met again
/// at every attempt to read it. Lines go through visible_message(), so that no name forges a line
/// or steers a terminal, and long ones are cut. Stops at the limits of DistinctLines. Thread-safe.
class LineLog {
 public:
  /// Longer lines are cut here; in bytes.
  static constexpr std::size_t kMaxLineSize = 8192;

  explicit LineLog(int fd) : fd_(fd) {}  ///< `fd` is borrowed

  void add(std::string_view line);

 private:
  void write_line(std::string_view line);

  int fd_;
  std::mutex writing_;  ///< keeps the lines of a log in order and whole
  DistinctLines seen_;
};

}  // namespace intact
