#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include <intact/base/result.h>
#include <intact/base/unique_fd.h>
#include <intact/image/opened_image.h>

namespace intact::cli {

/// Notes damage that is found while a container runs, in whichever process finds it: one line on
/// stderr for each damaged block, and a count that the process that made this and all its later
/// children share. Thread-safe.
class DamageWatch {
 public:
  static Result<std::unique_ptr<DamageWatch>> create();
  DamageWatch(const DamageWatch&) = delete;
  DamageWatch& operator=(const DamageWatch&) = delete;
  ~DamageWatch();

  void note(const image::Damage& damage);
  /// Damaged blocks, each counted once.
  std::uint32_t count() const;
  /// Becomes readable at the first damage and stays so.
  int event_fd() const { return event_.get(); }

 private:
  DamageWatch(std::atomic<std::uint32_t>* count, UniqueFd event)
      : count_(count), event_(std::move(event)) {}

  std::atomic<std::uint32_t>* count_;  // in a page that is shared with children
  UniqueFd event_;
  std::mutex mutex_;
  std::set<std::pair<std::string, std::uint64_t>> seen_;
};

}  // namespace intact::cli
