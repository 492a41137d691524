#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "open_device.h"

namespace intact::integrity {

/// The thread for work that no request asks for: it commits and writes back in time, flushes the
/// bitmap and recalculates. Its errors become the device's Failure, or occur again in the request
/// that meets them.
class Background {
 public:
  Background() = default;
  ~Background() { stop(); }
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  Result<void> start(OpenDevice& device);
  void stop();  ///< waits for its end
  void wake();  ///< something may be due

 private:
  void run(OpenDevice& device);

  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace intact::integrity
