#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <string>

#include <intact/base/result.h>

namespace intact::integrity {

/// The first error after which the state of the device is unknown: what was flushed, what the
/// journal contains. It stays until the device is opened again. Thread-safe.
class Failure {
 public:
  /// An error if the device has failed.
  Result<void> check() const {
    if (!failed_.load(std::memory_order_acquire)) [[likely]]
      return {};
    const std::lock_guard lock(mutex_);
    return Error(*error_);
  }

  /// Returns the result unchanged; keeps an error if it is the first.
  Result<void> keep(Result<void> result) {
    if (!result) {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = result.error();
      failed_.store(true, std::memory_order_release);
    }
    return result;
  }

  std::optional<std::string> message() const {
    const std::lock_guard lock(mutex_);
    if (!error_) return std::nullopt;
    return error_->message();
  }

 private:
  std::atomic<bool> failed_ = false;
  mutable std::mutex mutex_;
  std::optional<Error> error_;
};

}  // namespace intact::integrity
