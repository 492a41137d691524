#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace intact {

/// Told now and then how far some work has come, in bytes: by one thread at a time, perhaps one
/// that the work has started. `total` may grow. It is not told more often than it is useful, and
/// may be empty.
using Progress = std::function<void(std::uint64_t done, std::uint64_t total)>;

/// The same for work that consists of several steps. `step` is a phrase such as "Unpacking" with
/// static storage. A total of 0: nobody knows.
using ProgressOfSteps =
    std::function<void(std::string_view step, std::uint64_t done, std::uint64_t total)>;

}  // namespace intact
