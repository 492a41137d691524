#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

#include <intact/base/result.h>

namespace intact::registry {

/// How long one server may keep a command waiting in all: so long, and longer for each byte that
/// it has moved. Waits at the same time count once. Time in which the command does other work does
/// not count. Thread-safe.
class Patience {
 public:
  using Clock = std::chrono::steady_clock;

  /// `rate`: bytes a second, at least 1.
  Patience(std::chrono::milliseconds patience, std::uint64_t rate)
      : patience_(patience), rate_(rate) {}

  /// Somebody waits while this exists.
  class Wait {
   public:
    explicit Wait(Patience& patience) : patience_(patience) { patience_.count(+1); }
    ~Wait() { patience_.count(-1); }
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;

   private:
    Patience& patience_;
  };

  /// Bytes have arrived, or have been taken by the server.
  void moved(std::uint64_t bytes);
  /// What is left to wait; zero or less: nothing.
  std::chrono::milliseconds left();
  /// io when nothing is left, with what has been moved and how long that took.
  Result<void> check();

 private:
  void count(int more);
  void settle();  ///< with the lock held
  std::chrono::milliseconds left_now() const;

  const std::chrono::milliseconds patience_;
  const std::uint64_t rate_;
  std::mutex mutex_;
  int waiting_ = 0;
  Clock::time_point since_{};
  Clock::duration waited_{};
  std::uint64_t bytes_ = 0;
};

}  // namespace intact::registry
