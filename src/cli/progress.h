#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

namespace intact::cli {

/// One line on stderr that tells how far long work has come: only on a terminal, only after a
/// moment, and wiped at the end. Thread-safe.
class ProgressLine {
 public:
  explicit ProgressLine(std::string what);
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(std::uint64_t done_bytes, std::uint64_t total_bytes);

 private:
  using Clock = std::chrono::steady_clock;

  std::string what_;
  bool wanted_;
  std::mutex mutex_;
  Clock::time_point begin_;
  Clock::time_point next_;
  bool shown_ = false;
};

}  // namespace intact::cli
