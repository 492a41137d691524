#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include <intact/console/progress.h>

namespace intact::console {

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
