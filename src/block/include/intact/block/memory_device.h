#pragma once

#include <shared_mutex>

#include <intact/block/device.h>

namespace intact::block {

/// Bytes in memory as a device. Thread-safe.
class MemoryDevice final : public Device {
 public:
  explicit MemoryDevice(Bytes bytes) : bytes_(std::move(bytes)) {}

  std::uint64_t size() const override { return bytes_.size(); }
  Limits limits() const override { return {.block_size = 1, .writable = true}; }
  /// The content. Not to be used while others write.
  const Bytes& bytes() const { return bytes_; }

  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override;
  Result<void> write(std::uint64_t offset, ByteSpan bytes) override;
  Result<void> flush() override { return {}; }
  Result<void> discard(std::uint64_t offset, std::uint64_t length) override;
  Result<void> zero(std::uint64_t offset, std::uint64_t length) override;

 private:
  mutable std::shared_mutex mutex_;
  Bytes bytes_;
};

/// A device of zeros that takes no space. Writes are refused.
class ZeroDevice final : public ReadOnlyDevice {
 public:
  explicit ZeroDevice(std::uint64_t size) : size_(size) {}
  std::uint64_t size() const override { return size_; }
  Limits limits() const override { return {.block_size = 1}; }
  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override;
  /// One hole.
  Result<void> extents(std::uint64_t offset, std::uint64_t length,
                       const ExtentSink& sink) const override;

 private:
  std::uint64_t size_;
};

}  // namespace intact::block
