#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace intact::console {

struct ProgressState {
  std::string_view step;  ///< "Unpacking"
  std::uint64_t done = 0;
  std::uint64_t total = 0;  ///< bytes; 0: unknown
  double seconds = 0;       ///< since the step began
};

/// As much of step, bar, percentage, bytes, rate and time left as fits into `columns`; the least
/// important parts are left out first.
std::string progress_text(const ProgressState& state, std::size_t columns);

}  // namespace intact::console
