#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
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

/// How progress is reported: the options of cryptsetup's tools.
struct ProgressOptions {
  bool json = false;            ///< --progress-json
  std::uint32_t frequency = 0;  ///< --progress-frequency, seconds; 0: not given
  bool quiet = false;           ///< --batch-mode: no progress but that of --progress-json
};

/// The progress of something since `begin` bytes were done.
struct ProgressSample {
  std::uint64_t done;
  std::uint64_t total;
  std::uint64_t begin;
  double seconds;  ///< since then; more than 0
};
/// The lines of cryptsetup's tools, without their ends.
std::string progress_json_line(const std::string& device, const ProgressSample& sample);
std::string progress_text_line(const ProgressSample& sample);

/// Reports progress according to the options: in lines on stdout, as cryptsetup's tools do, or
/// otherwise on the terminal. Thread-safe.
class StepProgress {
 public:
  /// `device`: its name in JSON.
  StepProgress(const ProgressOptions& options, std::string device);
  /// `done == total` is the end, to be reported once.
  void show(std::string_view step, std::uint64_t done, std::uint64_t total);

 private:
  using Clock = std::chrono::steady_clock;

  ProgressOptions options_;
  std::string device_;
  std::optional<ProgressLine> line_;
  std::mutex mutex_;
  std::optional<Clock::time_point> start_;
  Clock::time_point last_;
  std::uint64_t begin_ = 0;
};

}  // namespace intact::console
