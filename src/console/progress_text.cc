#include "progress_text.h"

#include <algorithm>

#include <fmt/format.h>

namespace intact::console {
namespace {

std::string duration(double seconds) {
  const auto all = static_cast<std::uint64_t>(seconds + 0.5);
  if (all >= 3600) return fmt::format("{}:{:02}:{:02}", all / 3600, all / 60 % 60, all % 60);
  return fmt::format("{}:{:02}", all / 60, all % 60);
}

double in_megabytes(std::uint64_t bytes) {
  return static_cast<double>(bytes) / 1e6;
}

}  // namespace

std::string progress_text(const ProgressState& state, std::size_t columns) {
  std::string step(state.step.substr(0, columns));
  if (state.total == 0) {
    const std::string amount = fmt::format("  {:.1f} MB", in_megabytes(state.done));
    if (state.done > 0 && step.size() + amount.size() <= columns) return step + amount;
    return fmt::format("{} ...", step).substr(0, columns);
  }
  const std::uint64_t done = std::min(state.done, state.total);
  const double share = static_cast<double>(done) / static_cast<double>(state.total);
  const double rate = state.seconds > 0 ? static_cast<double>(done) / state.seconds : 0;

  // The most needed part first.
  std::string head = fmt::format("{} {:3}%", step, static_cast<int>(share * 100));
  if (head.size() > columns) return step;
  std::string tail;
  const auto add = [&](const std::string& part) {
    if (head.size() + tail.size() + part.size() <= columns) tail += part;
  };
  add(fmt::format("  {:.1f}/{:.1f} MB", in_megabytes(done), in_megabytes(state.total)));
  // A rate of the first moment says nothing.
  if (rate > 0 && state.seconds >= 0.5) {
    add(fmt::format("  {:.0f} MB/s", rate / 1e6));
    add(fmt::format("  {} left", duration(static_cast<double>(state.total - done) / rate)));
  }
  // The bar takes what is left of the line, within reason.
  constexpr std::size_t kSmallestBar = 8;
  constexpr std::size_t kLargestBar = 30;
  const std::size_t used = head.size() + tail.size() + 3;
  if (used + kSmallestBar <= columns) {
    const std::size_t width = std::min(columns - used, kLargestBar);
    const auto filled = static_cast<std::size_t>(share * static_cast<double>(width));
    head.insert(step.size(),
                " [" + std::string(filled, '=') + std::string(width - filled, ' ') + "]");
  }
  return head + tail;
}

}  // namespace intact::console
