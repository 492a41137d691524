#pragma once

#include <shared_mutex>

#include <intact/block/target.h>

namespace intact::block {

/// Bytes in memory as a device. Thread-safe.
class MemoryTarget final : public BlockTarget {
 public:
  explicit MemoryTarget(Bytes bytes) : bytes_(std::move(bytes)) {}

  std::uint64_t size() const override { return bytes_.size(); }
  bool writable() const override { return true; }
  std::uint32_t block_size() const override { return 1; }
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

/// A device of zeros that takes no space (the kernel's "zero" target, but for writes: refused).
class ZeroTarget final : public ReadOnlyTarget {
 public:
  explicit ZeroTarget(std::uint64_t size) : size_(size) {}
  std::uint64_t size() const override { return size_; }
  std::uint32_t block_size() const override { return 1; }
  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override;

 private:
  std::uint64_t size_;
};

}  // namespace intact::block
