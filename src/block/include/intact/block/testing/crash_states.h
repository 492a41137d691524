#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <random>
#include <vector>

#include <intact/block/testing/recording_device.h>

namespace intact::block::testing {

/// The contents that a power cut may leave on devices whose operations were logged.
///
/// Sectors of 512 bytes are written whole or not at all. What was written before a flush began is
/// there once the flush is over; of what was written since the last flush of its device each sector
/// may be there or not, whatever the order. Before each flush, and at the end, these are tried:
/// - every prefix of the sectors written since, each sector alone missing, each alone there;
/// - all subsets where there are at most `exhaustive` sectors;
/// - else `samples` subsets: of whole writes, and of sectors.
class CrashStates {
 public:
  struct Bounds {
    std::size_t exhaustive = 8;  ///< sectors
    std::size_t samples = 200;   ///< for each flush
    unsigned seed = 1;
  };
  /// `position`: how many operations of the log had been begun and completed.
  using Check = std::function<void(std::size_t position, const std::vector<Bytes>& devices)>;

  /// `initial`: the devices before the first operation, by their number.
  CrashStates(std::vector<Bytes> initial, const OperationLog& log, Bounds bounds)
      : devices_(std::move(initial)), log_(log), bounds_(bounds), random_(bounds.seed) {}

  /// Calls `check` for each state; returns how many there were.
  std::size_t for_each(const Check& check) {
    const auto& operations = log_.operations;
    for (std::size_t i = 0; i < operations.size(); ++i) {
      if (!operations[i].is_flush) {
        pending_.push_back(i);
        continue;
      }
      try_window(i, check);
      settle(operations[i].device);
    }
    try_window(operations.size(), check);
    return states_;
  }

 private:
  struct Sector {
    std::size_t operation;
    std::size_t offset;  // within its bytes
  };

  void try_window(std::size_t position, const Check& check) {
    std::vector<Sector> sectors;
    for (const std::size_t i : pending_)
      for (std::size_t at = 0; at < log_.operations[i].bytes.size(); at += 512)
        sectors.push_back({i, at});
    const std::size_t count = sectors.size();
    const auto try_those = [&](const auto& is_there) {
      std::vector<Bytes> devices = devices_;
      for (std::size_t k = 0; k < count; ++k)
        if (is_there(k)) apply(sectors[k], devices);
      ++states_;
      check(position, devices);
    };
    for (std::size_t n = 0; n <= count; ++n) try_those([&](std::size_t k) { return k < n; });
    if (count <= 1) return;
    if (count <= bounds_.exhaustive) {
      for (std::size_t mask = 0; mask < std::size_t{1} << count; ++mask)
        try_those([&](std::size_t k) { return (mask >> k & 1) != 0; });
      return;
    }
    for (std::size_t n = 0; n < count; ++n) {
      try_those([&](std::size_t k) { return k != n; });
      try_those([&](std::size_t k) { return k == n; });
    }
    for (std::size_t s = 0; s < bounds_.samples; ++s) {
      // In eighths: how likely a write, and a sector of it, is to be there.
      const auto writes = random_() % 9, parts = s % 2 == 0 ? 8 : random_() % 9;
      std::vector<bool> there(count);
      bool write_there = false;
      for (std::size_t k = 0; k < count; ++k) {
        if (k == 0 || sectors[k].operation != sectors[k - 1].operation)
          write_there = random_() % 8 < writes;
        there[k] = write_there && random_() % 8 < parts;
      }
      try_those([&](std::size_t k) { return there[k]; });
    }
  }

  void apply(const Sector& sector, std::vector<Bytes>& devices) const {
    const auto& operation = log_.operations[sector.operation];
    const ByteSpan bytes = ByteSpan(operation.bytes).subspan(sector.offset);
    std::ranges::copy(bytes.first(std::min<std::size_t>(512, bytes.size())),
                      devices[operation.device].begin() +
                          static_cast<std::ptrdiff_t>(operation.offset + sector.offset));
  }

  /// What was written to `device` is durable.
  void settle(unsigned device) {
    std::erase_if(pending_, [&](std::size_t i) {
      const auto& operation = log_.operations[i];
      if (operation.device != device) return false;
      std::ranges::copy(operation.bytes,
                        devices_[device].begin() + static_cast<std::ptrdiff_t>(operation.offset));
      return true;
    });
  }

  std::vector<Bytes> devices_;
  const OperationLog& log_;
  Bounds bounds_;
  std::mt19937 random_;
  std::vector<std::size_t> pending_;  // writes that are not flushed
  std::size_t states_ = 0;
};

}  // namespace intact::block::testing
