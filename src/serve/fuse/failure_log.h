#pragma once

#include <functional>
#include <string_view>

#include <intact/base/distinct_lines.h>

namespace intact::serve {

/// Passes each line on once: the kernel repeats a request that failed, and users do. Stops at the
/// limits of DistinctLines. Thread-safe.
class FailureLog {
 public:
  using Sink = std::function<void(std::string_view)>;

  explicit FailureLog(Sink sink) : sink_(std::move(sink)) {}

  void add(std::string_view line);

 private:
  Sink sink_;
  DistinctLines seen_;
};

}  // namespace intact::serve
