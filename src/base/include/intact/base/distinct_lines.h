#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace intact {

/// Remembers which lines it has seen, within a limit on their number and on the memory that they
/// take, so that a log that hostile input can write to has an end. Thread-safe.
class DistinctLines {
 public:
  static constexpr std::size_t kMaxLines = 100000;
  /// Bytes of all lines together.
  static constexpr std::size_t kMaxBytes = 8 << 20;

  enum class Verdict {
    fresh,  ///< seen for the first time
    known,  ///< seen before
    full,   ///< the limit has just been reached: returned once
    over,   ///< the limit was reached earlier; nothing more is remembered
  };

  Verdict add(std::string_view line);

 private:
  std::mutex mutex_;
  std::size_t bytes_ = 0;
  bool full_ = false;
  std::set<std::string, std::less<>> lines_;  ///< sorted: lines cannot be chosen to collide
};

}  // namespace intact
