#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string_view>

#include <intact/base/progress.h>

namespace intact::console {

/// One line on stderr that shows the progress of long work: only on a terminal that can redraw a
/// line, only after a moment, and erased at the end, before any message. Thread-safe.
class ProgressLine {
 public:
  ProgressLine();
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(std::string_view step, std::uint64_t done_bytes, std::uint64_t total_bytes);
  /// show(), as a callback. It must not outlive the line.
  ProgressOfSteps sink();

 private:
  using Clock = std::chrono::steady_clock;

  bool wanted_;
  std::mutex mutex_;
  std::string_view step_;
  Clock::time_point step_begin_;
  Clock::time_point next_;
  bool shown_ = false;
};

/// A callback that shows the progress of a step. `step` must live as long as the line.
inline Progress progress_on(ProgressLine& line, std::string_view step) {
  return [&line, step](std::uint64_t done, std::uint64_t total) { line.show(step, done, total); };
}

}  // namespace intact::console
