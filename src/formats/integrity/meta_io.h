#pragma once

#include <cstdint>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/block/device.h>

#include "failure.h"

namespace intact::integrity {

/// The device with superblock, journal and tags. Every error here is the device's last: see
/// Failure. Thread-safe.
class MetaIo {
 public:
  MetaIo(block::Device& device, Failure& failure) : device_(device), failure_(failure) {}

  std::uint64_t size() const { return device_.size(); }              ///< bytes
  std::uint32_t block_size() const { return device_.block_size(); }  ///< bytes, of writes

  Result<void> read(std::uint64_t byte, MutableByteSpan out) const {
    return failure_.keep(device_.read(byte, out).context("reading metadata"));
  }
  Result<void> write(std::uint64_t byte, ByteSpan bytes) {
    TRY(failure_.check());
    return failure_.keep(device_.write(byte, bytes).context("writing metadata"));
  }
  Result<void> flush() {
    TRY(failure_.check());
    return failure_.keep(device_.flush().context("flushing metadata"));
  }

 private:
  block::Device& device_;
  Failure& failure_;
};

}  // namespace intact::integrity
