#pragma once

#include <memory>
#include <vector>

#include <intact/block/device.h>

namespace intact::block {

/// A part of another device, from byte `offset` on (one line of the kernel's "linear" target).
class LinearTarget final : public Device {
 public:
  struct Range {
    std::uint64_t offset;  ///< first byte in the device below, a multiple of its block size
    std::uint64_t length;  ///< bytes, a multiple of its block size as well
  };
  static Result<std::unique_ptr<LinearTarget>> open(std::shared_ptr<Device> lower, Range range);

  std::uint64_t size() const override { return range_.length; }
  Limits limits() const override { return lower_->limits(); }

  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override;
  Result<void> write(std::uint64_t offset, ByteSpan bytes) override;
  Result<void> flush() override { return lower_->flush(); }
  Result<void> discard(std::uint64_t offset, std::uint64_t length) override;
  Result<void> zero(std::uint64_t offset, std::uint64_t length) override;
  Result<void> extents(std::uint64_t offset, std::uint64_t length,
                       const ExtentSink& sink) const override;

 private:
  LinearTarget(std::shared_ptr<Device> lower, Range range)
      : lower_(std::move(lower)), range_(range) {}
  std::shared_ptr<Device> lower_;
  Range range_;
};

/// Several devices in a row (a table of several lines).
class ConcatTarget final : public Device {
 public:
  /// At least one part; every part must be whole blocks of the largest block size, except
  /// the last one of a device that is only read.
  static Result<std::unique_ptr<ConcatTarget>> open(std::vector<std::shared_ptr<Device>> parts);

  std::uint64_t size() const override { return ends_.back(); }
  Limits limits() const override { return {.block_size = block_size_, .writable = writable_}; }

  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override;
  Result<void> write(std::uint64_t offset, ByteSpan bytes) override;
  Result<void> flush() override;
  Result<void> discard(std::uint64_t offset, std::uint64_t length) override;
  Result<void> zero(std::uint64_t offset, std::uint64_t length) override;
  Result<void> extents(std::uint64_t offset, std::uint64_t length,
                       const ExtentSink& sink) const override;

 private:
  ConcatTarget() = default;
  /// Calls `use(part, offset in it, offset in the request, length)` for each part that is touched.
  template <typename Use>
  Result<void> for_parts(std::uint64_t offset, std::uint64_t length, Use use) const;

  std::vector<std::shared_ptr<Device>> parts_;
  std::vector<std::uint64_t> ends_;  // first byte after each part
  std::uint32_t block_size_ = 1;
  bool writable_ = true;
};

}  // namespace intact::block
