#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace intact::fsverity {

/// The numbers that were added last, a limited count of them: for what hostile content may cause
/// often, such as bad blocks. Takes no memory before the first is added, at most 4 KiB after that.
class RecentNumbers {
 public:
  static constexpr std::size_t kMaxCount = 512;

  bool contains(std::uint64_t number) const {
    return std::ranges::find(numbers_, number) != numbers_.end();
  }

  /// False if it is among the last.
  bool add(std::uint64_t number) {
    if (contains(number)) return false;
    if (numbers_.size() < kMaxCount)
      numbers_.push_back(number);
    else
      numbers_[next_++ % kMaxCount] = number;
    return true;
  }

 private:
  std::vector<std::uint64_t> numbers_;
  std::size_t next_ = 0;  ///< the oldest, once there are kMaxCount
};

}  // namespace intact::fsverity
