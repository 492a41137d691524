#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace intact::cli {

struct ProgressState {
  std::string_view step;  ///< "Unpacking"
  std::uint64_t done = 0;
  std::uint64_t total = 0;  ///< bytes; 0: not known
  double seconds = 0;       ///< since the step began
};

/// What a line of `columns` can tell about it: step, bar, share, bytes, rate, time left. Never
/// wider; what is least needed is left out first.
std::string progress_text(const ProgressState& state, std::size_t columns);

}  // namespace intact::cli
