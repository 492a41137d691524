#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>

#include <intact/registry/registry.h>

#include "headers.h"
#include "http.h"
#include "patience.h"

namespace intact::registry {

inline constexpr std::chrono::seconds kMaxWait{60};

/// How often and when something is tried again. Not thread-safe.
class Retry {
 public:
  /// `patience` outlives it.
  Retry(const Options& options, Patience& patience)
      : patience_(&patience), delay_(options.retry_delay), left_(options.tries) {}

  /// Waits before the next try, as long as `asked` says if that is given. False: no more of them,
  /// or the wait would be longer than the server is waited for in all.
  bool again(std::optional<std::chrono::seconds> asked = {}) {
    if (left_ <= 1) return false;
    --left_;
    std::chrono::milliseconds wait = delay_;
    if (asked) wait = *asked;
    wait = std::min<std::chrono::milliseconds>(wait, kMaxWait);
    if (wait >= patience_->left()) return false;
    const Patience::Wait waiting(*patience_);
    std::this_thread::sleep_for(wait);
    delay_ *= 2;
    return true;
  }

 private:
  Patience* patience_;
  std::chrono::milliseconds delay_;
  unsigned left_;
};

/// Whether an answer means "not now": with Retry-After or without.
inline bool is_temporary(long status) {
  return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 ||
         status == 504;
}

inline std::optional<std::chrono::seconds> retry_after(const HttpResponse& response) {
  const std::string value = response.header("retry-after");
  return value.empty() ? std::nullopt : parse_retry_after(value);
}

}  // namespace intact::registry
