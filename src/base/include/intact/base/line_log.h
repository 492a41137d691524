#pragma once

#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace intact {

/// Lines with a time, each different one once: damage is met again at every attempt to read it.
/// Control characters are replaced, so that no name forges a line or steers a terminal. Stops after
/// many lines. Thread-safe.
class LineLog {
 public:
  explicit LineLog(int fd) : fd_(fd) {}  ///< `fd` stays the caller's

  void add(std::string_view line);

 private:
  void write_line(std::string_view line);

  int fd_;
  std::mutex mutex_;
  std::set<std::string, std::less<>> lines_;
};

}  // namespace intact
