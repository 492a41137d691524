#include <array>
#include <cstdio>

#include <fmt/format.h>

#include <intact/console/program.h>
#include <intact/console/progress.h>
#include <intact/json/json.h>

namespace intact::console {
namespace {

double rate(const ProgressSample& sample) {
  return static_cast<double>(sample.done - sample.begin) / sample.seconds;
}

/// Seconds to the end, by cryptsetup's reckoning.
double time_left(const ProgressSample& sample) {
  const double speed = rate(sample);
  if (sample.done == sample.total || speed <= 0) return 0;
  return std::max(0.0, static_cast<double>(sample.total) / speed - sample.seconds);
}

/// "12m44s", "26h12m44s", "03 days"
std::string duration(double seconds) {
  const auto whole = static_cast<std::uint64_t>(seconds);
  if (whole < 90 * 60) return fmt::format("{:02}m{:02}s", whole / 60, whole % 60);
  if (whole < 36 * 3600)
    return fmt::format("{:02}h{:02}m{:02}s", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{:02} days", whole / (24 * 3600));
}

/// In the unit of which there are at most four digits: from MiB on.
std::string amount(std::uint64_t bytes) {
  constexpr std::array kUnits = {"MiB", "GiB", "TiB", "PiB", "EiB"};
  std::size_t unit = 0;
  while (unit + 1 < kUnits.size() && bytes >> (32 + 10 * unit) != 0) ++unit;
  return fmt::format("{:4} {} written", bytes >> (20 + 10 * unit), kUnits.at(unit));
}

std::string speed(double bytes) {
  constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB"};
  std::size_t unit = 0;
  for (; unit + 1 < kUnits.size() && bytes > 1024; ++unit) bytes /= 1024;
  return fmt::format("speed {:5.1f} {}/s", bytes, kUnits.at(unit));
}

}  // namespace

std::string progress_json_line(const std::string& device, const ProgressSample& sample) {
  const auto number = [](double value) {
    return std::to_string(static_cast<std::uint64_t>(value));
  };
  return to_text(Json{{"device", device},
                      {"device_bytes", std::to_string(sample.done)},
                      {"device_size", std::to_string(sample.total)},
                      {"speed", number(rate(sample))},
                      {"eta_ms", number(time_left(sample) * 1e3)},
                      {"time_ms", number(sample.seconds * 1e3)}});
}

std::string progress_text_line(const ProgressSample& sample) {
  if (sample.done == sample.total)
    return fmt::format("Finished, time {}, {}, {}", duration(sample.seconds), amount(sample.done),
                       speed(rate(sample)));
  return fmt::format("Progress: {:5.1f}%, ETA {}, {}, {}",
                     100.0 * static_cast<double>(sample.done) / static_cast<double>(sample.total),
                     duration(time_left(sample)), amount(sample.done), speed(rate(sample)));
}

StepProgress::StepProgress(const ProgressOptions& options, std::string device)
    : options_(options), device_(std::move(device)) {
  if (!options_.json && options_.frequency == 0 && !options_.quiet) line_.emplace();
}

void StepProgress::show(std::string_view step, std::uint64_t done, std::uint64_t total) {
  if (line_) return line_->show(step, done, total);
  if (!options_.json && options_.quiet) return;
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  if (!start_) {
    start_ = last_ = now;
    begin_ = done;
    // Work that is over at once is told of all the same.
    if (done != total) return;
  }
  const auto between = options_.frequency == 0 ? Clock::duration(std::chrono::milliseconds(500))
                                               : std::chrono::seconds(options_.frequency);
  if (done != total && now - last_ < between) return;
  last_ = now;
  const ProgressSample sample{
      .done = done,
      .total = total,
      .begin = begin_,
      .seconds = std::max(1e-6, std::chrono::duration<double>(now - *start_).count())};
  print("{}\n", options_.json ? progress_json_line(device_, sample) : progress_text_line(sample));
  std::fflush(stdout);
}

}  // namespace intact::console
