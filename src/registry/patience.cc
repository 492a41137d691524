#include "patience.h"

namespace intact::registry {

void Patience::settle() {
  const auto now = Clock::now();
  if (waiting_ != 0) waited_ += now - since_;
  since_ = now;
}

void Patience::count(int more) {
  const std::lock_guard lock(mutex_);
  settle();
  waiting_ += more;
}

void Patience::moved(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  bytes_ += bytes;
}

std::chrono::milliseconds Patience::left_now() const {
  const std::chrono::milliseconds earned(bytes_ / rate_ * 1000 + bytes_ % rate_ * 1000 / rate_);
  return patience_ + earned - std::chrono::duration_cast<std::chrono::milliseconds>(waited_);
}

std::chrono::milliseconds Patience::left() {
  const std::lock_guard lock(mutex_);
  settle();
  return left_now();
}

Result<void> Patience::check() {
  const std::lock_guard lock(mutex_);
  settle();
  if (left_now().count() > 0) return {};
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(waited_).count();
  return Error(ErrorKind::io, "too slow: " + std::to_string(bytes_) + " bytes in " +
                                  std::to_string(seconds) + " seconds of waiting");
}

}  // namespace intact::registry
