#pragma once

#include <memory>
#include <vector>

#include <intact/block/target.h>

namespace intact::block {

/// A part of another device, from byte `offset` on (one line of the kernel's "linear" target).
class SliceTarget final : public BlockTarget {
 public:
  struct Range {
    std::uint64_t offset;  ///< first byte in the device below, a multiple of its block size
    std::uint64_t length;  ///< bytes, a multiple of its block size as well
  };
  static Result<std::unique_ptr<SliceTarget>> open(std::shared_ptr<BlockTarget> lower, Range range);

  std::uint64_t size() const override { return range_.length; }
  bool writable() const override { return lower_->writable(); }
  std::uint32_t block_size() const override { return lower_->block_size(); }

  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override;
  Result<void> write(std::uint64_t offset, ByteSpan bytes) override;
  Result<void> flush() override { return lower_->flush(); }
  Result<void> discard(std::uint64_t offset, std::uint64_t length) override;
  Result<void> zero(std::uint64_t offset, std::uint64_t length) override;

 private:
  SliceTarget(std::shared_ptr<BlockTarget> lower, Range range)
      : lower_(std::move(lower)), range_(range) {}
  std::shared_ptr<BlockTarget> lower_;
  Range range_;
};

/// Several devices in a row (a table of several lines).
class LinearTarget final : public BlockTarget {
 public:
  /// At least one part; every part but the last must be whole blocks of the largest block size.
  static Result<std::unique_ptr<LinearTarget>> open(
      std::vector<std::unique_ptr<BlockTarget>> parts);

  std::uint64_t size() const override { return ends_.back(); }
  bool writable() const override { return writable_; }
  std::uint32_t block_size() const override { return block_size_; }

  Result<void> read(std::uint64_t offset, MutableByteSpan out) const override;
  Result<void> write(std::uint64_t offset, ByteSpan bytes) override;
  Result<void> flush() override;
  Result<void> discard(std::uint64_t offset, std::uint64_t length) override;
  Result<void> zero(std::uint64_t offset, std::uint64_t length) override;

 private:
  LinearTarget() = default;
  /// Calls `use(part, offset in it, offset in the request, length)` for each part that is touched.
  template <typename Use>
  Result<void> for_parts(std::uint64_t offset, std::uint64_t length, Use use) const;

  std::vector<std::unique_ptr<BlockTarget>> parts_;
  std::vector<std::uint64_t> ends_;  // first byte after each part
  std::uint32_t block_size_ = 1;
  bool writable_ = true;
};

}  // namespace intact::block
