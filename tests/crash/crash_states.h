#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "disk.h"

namespace intact::crash {

/// What a crash leaves of the operations before it whose effect was not yet asked to be durable.
enum class Loss {
  nothing,     ///< all is there: the program was killed, the machine runs on
  everything,  ///< only what was synced is there
  contents,    ///< all names are there, but files are empty where they were not synced
  zeros,       ///< and the same with the right size, and zeros
  random,      ///< any of the operations are there, writes also in part or as other bytes
};
std::string to_string(Loss loss);

struct CrashPoint {
  std::size_t done = 0;  ///< so many operations were executed
  Loss loss = Loss::nothing;
  std::uint64_t seed = 0;  ///< of Loss::random

  std::string text(const std::vector<Operation>& operations) const;
};

/// The disk as it may be found after a crash.
///
/// What is promised, and no more: fsync of a file makes its content durable, fsync of a directory
/// the changes of its names that came before (of a rename between two directories, on both sides),
/// syncfs everything. A rename is there or not, as a whole. Nothing else has an order.
Disk crash_state(const Disk& before, const std::vector<Operation>& operations,
                 const CrashPoint& point);

}  // namespace intact::crash
