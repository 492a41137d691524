#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_set>

namespace intact::serve {

/// Passes each line on once: the kernel repeats a request that failed, and users do. Remembers a
/// limited number of lines and then stops. Thread-safe.
class FailureLog {
 public:
  using Sink = std::function<void(std::string_view)>;

  explicit FailureLog(Sink sink) : sink_(std::move(sink)) {}

  void add(const std::string& line);

 private:
  static constexpr std::size_t kMostLines = 10000;

  Sink sink_;
  std::mutex mutex_;
  std::unordered_set<std::string> seen_;
};

}  // namespace intact::serve
