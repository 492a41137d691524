#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <intact/base/result.h>
#include <intact/block/device.h>

namespace intact::dm {

/// Which parts of which devices the lines of a stack write to. Two lines that wrote to the same
/// place would destroy what the other one has there: a journal, tags, a superblock. Not
/// thread-safe.
class Claims {
 public:
  /// What is claimed from now on is claimed by another line.
  void begin_line() { ++line_; }

  /// Claims a part of a device for writing; offset and length in bytes. A line may claim a part
  /// several times. busy: another line has claimed some of it. Devices are told apart by their
  /// address: a file that is used in several places must be the same object in all of them.
  Result<void> add(const block::Device& device, std::uint64_t offset, std::uint64_t length);

 private:
  struct Claim {
    const block::Device* device;
    std::uint64_t begin, end;
    std::size_t line;
  };
  std::size_t line_ = 0;
  std::vector<Claim> claims_;
};

}  // namespace intact::dm
