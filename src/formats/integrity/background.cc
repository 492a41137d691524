#include "background.h"

#include <intact/base/thread.h>

namespace intact::integrity {

Result<void> Background::start(OpenDevice& device) {
  thread_ = TRY(start_thread([this, &device] { run(device); }));
  return {};
}

void Background::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Background::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  changed_.notify_all();
}

void Background::run(OpenDevice& device) {
  bool recalculates = device.recalculation != nullptr;
  while (device.volume->failure.check()) {
    const auto due = device.mode->due();
    if (due && *due <= std::chrono::steady_clock::now()) {
      // Its errors are final and stay in the device: the loop ends.
      if (!device.mode->work()) return;
      continue;
    }
    recalculates = recalculates && !device.recalculation->done();
    std::unique_lock lock(mutex_);
    if (stop_) return;
    if (recalculates) {
      lock.unlock();
      // Unreadable data stop it: callers of recalculate() get the error.
      recalculates = device.recalculation->step().has_value();
      continue;
    }
    const auto awaited = [this] { return woken_ || stop_; };
    if (due)
      changed_.wait_until(lock, *due, awaited);
    else
      changed_.wait(lock, awaited);
    woken_ = false;
    if (stop_) return;
  }
}

}  // namespace intact::integrity
