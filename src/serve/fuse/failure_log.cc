#include "failure_log.h"

namespace intact::serve {

void FailureLog::add(const std::string& line) {
  if (!sink_) return;
  const std::lock_guard lock(mutex_);
  if (seen_.size() > kMostLines || !seen_.insert(line).second) return;
  sink_(seen_.size() > kMostLines ? "too many different failures: no more are logged" : line);
}

}  // namespace intact::serve
