#pragma once

#include <cstdint>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/block/device.h>
#include <intact/integrity/layout.h>

#include "failure.h"

namespace intact::integrity {

/// The data in their places. A failing read or write concerns only its caller; a failing flush
/// makes the whole device fail. Thread-safe.
class DataArea {
 public:
  DataArea(const Layout& layout, block::Device& device, Failure& failure)
      : layout_(layout), device_(device), failure_(failure) {}

  /// Contiguous sectors from `sector` on (Layout::contiguous_sectors).
  Result<void> read(std::uint64_t sector, MutableByteSpan out) const {
    return device_.read(layout_.data_sector(sector) * kSectorSize, out);
  }
  Result<void> write(std::uint64_t sector, ByteSpan bytes) {
    TRY(failure_.check());
    return device_.write(layout_.data_sector(sector) * kSectorSize, bytes);
  }
  Result<void> zero(std::uint64_t sector, std::uint64_t sectors) {
    TRY(failure_.check());
    return device_.zero(layout_.data_sector(sector) * kSectorSize, sectors * kSectorSize);
  }
  Result<void> discard(std::uint64_t sector, std::uint64_t sectors) {
    TRY(failure_.check());
    return device_.discard(layout_.data_sector(sector) * kSectorSize, sectors * kSectorSize);
  }
  Result<void> flush() {
    TRY(failure_.check());
    return failure_.keep(device_.flush().context("flushing data"));
  }

 private:
  const Layout& layout_;
  block::Device& device_;
  Failure& failure_;
};

}  // namespace intact::integrity
