#pragma once

#include <atomic>
#include <mutex>

#include "background.h"
#include "open_device.h"

namespace intact::integrity {

class IntegrityTarget::Impl {
 public:
  Impl(Options o) : options(std::move(o)) {}

  Volume& volume() const { return *device.volume; }
  Result<void> check_usable() const {
    TRY(volume().failure.check());
    if (closed.load(std::memory_order_acquire))
      return Error(ErrorKind::invalid_argument, "this device is closed");
    return {};
  }
  /// A request of whole blocks for writing.
  Result<void> check_write(const IntegrityTarget& target, std::uint64_t offset,
                           std::uint64_t length) const;
  Result<void> read(std::uint64_t offset, MutableByteSpan out) const;
  Result<void> write(std::uint64_t offset, ByteSpan bytes);
  Result<void> zero(std::uint64_t offset, ByteSpan zeros);
  using HandOn = Result<void> (WriteMode::*)(std::uint64_t block, ByteSpan blocks, ByteSpan tags);
  Result<void> hand_on(HandOn function, std::uint64_t offset, ByteSpan bytes);
  Result<void> discard(std::uint64_t offset, std::uint64_t length);
  Result<void> close();

  const Options options;
  // Declared before the device, whose mode may still wake it while it is destroyed.
  Background background;
  OpenDevice device;
  std::atomic<bool> closed = false;
  std::mutex close_mutex;
  std::optional<Error> close_error;
  bool close_done = false;
};

}  // namespace intact::integrity
