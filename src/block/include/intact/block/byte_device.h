#pragma once

#include <memory>
#include <shared_mutex>

#include <intact/block/device.h>

namespace intact::block {

/// A device of bytes over a device of blocks: writing operations may begin and end anywhere. The
/// rest of a block that is written in part stays as it was, even while others write to it.
/// Thread-safe if the device below is.
///
/// discard() only discards whole blocks.
class ByteDevice final : public Device {
 public:
  /// All writes to `lower` must come through here.
  explicit ByteDevice(std::shared_ptr<Device> lower) : lower_(std::move(lower)) {}

  std::uint64_t size() const override { return lower_->size(); }
  Limits limits() const override { return {.block_size = 1, .writable = lower_->writable()}; }

  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override {
    return lower_->read(offset, out);
  }
  Result<void> write(std::uint64_t offset, ByteSpan bytes) override;
  Result<void> flush() override { return lower_->flush(); }
  Result<void> discard(std::uint64_t offset, std::uint64_t length) override;
  Result<void> zero(std::uint64_t offset, std::uint64_t length) override;
  Result<void> extents(std::uint64_t offset, std::uint64_t length,
                       const ExtentSink& sink) const override {
    return lower_->extents(offset, length, sink);
  }

 private:
  bool is_aligned(std::uint64_t offset, std::uint64_t length) const {
    return (offset | length) % lower_->block_size() == 0;
  }
  Result<void> change_part(std::uint64_t offset, std::uint64_t length, ByteSpan bytes);
  template <typename Whole>
  Result<void> change(std::uint64_t offset, std::uint64_t length, ByteSpan bytes, Whole whole);

  std::shared_ptr<Device> lower_;
  std::shared_mutex mutex_;  // shared for whole blocks, exclusive for parts of blocks
};

}  // namespace intact::block
