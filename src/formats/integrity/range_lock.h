#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <shared_mutex>

namespace intact::integrity {

/// Keeps readers of data and tags in place from seeing half of a write. The number of locks is
/// fixed; ranges that are far from each other seldom share one. Thread-safe; a thread holds one
/// guard at a time.
class RangeLock {
 public:
  template <bool kExclusive>
  class Guard {
   public:
    Guard(RangeLock& lock, std::uint64_t sector, std::uint64_t sectors)
        : lock_(lock), mask_(mask(sector, sectors)) {
      // Always in ascending order, so that two guards cannot wait for each other.
      for (std::uint64_t left = mask_; left != 0; left &= left - 1) {
        std::shared_mutex& stripe = lock_.stripes_[std::countr_zero(left)];
        if constexpr (kExclusive)
          stripe.lock();
        else
          stripe.lock_shared();
      }
    }
    ~Guard() {
      for (std::uint64_t left = mask_; left != 0; left &= left - 1) {
        std::shared_mutex& stripe = lock_.stripes_[std::countr_zero(left)];
        if constexpr (kExclusive)
          stripe.unlock();
        else
          stripe.unlock_shared();
      }
    }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    RangeLock& lock_;
    std::uint64_t mask_;
  };
  using Shared = Guard<false>;
  using Exclusive = Guard<true>;

 private:
  static constexpr unsigned kStripes = 64;
  static constexpr unsigned kLog2StripeSectors = 7;  // 64 KiB

  static std::uint64_t mask(std::uint64_t sector, std::uint64_t sectors) {
    if (sectors == 0) return 0;
    const std::uint64_t first = sector >> kLog2StripeSectors;
    const std::uint64_t count = ((sector + sectors - 1) >> kLog2StripeSectors) - first + 1;
    if (count >= kStripes) return ~std::uint64_t{0};
    return std::rotl((std::uint64_t{1} << count) - 1, static_cast<int>(first % kStripes));
  }

  std::array<std::shared_mutex, kStripes> stripes_;
};

}  // namespace intact::integrity
