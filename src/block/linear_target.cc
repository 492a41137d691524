#include <algorithm>

#include <fmt/format.h>

#include <intact/base/checked.h>
#include <intact/block/linear_target.h>

namespace intact::block {

Result<std::unique_ptr<LinearTarget>> LinearTarget::open(std::shared_ptr<Device> lower,
                                                         Range range) {
  TRY(check_blocks(*lower, range.offset, range.length));
  return std::unique_ptr<LinearTarget>(new LinearTarget(std::move(lower), range));
}

Result<void> LinearTarget::read(std::uint64_t offset, MutableByteSpan out) const {
  TRY(check_range(range_.length, offset, out.size()));
  return lower_->read(range_.offset + offset, out);
}

Result<void> LinearTarget::write(std::uint64_t offset, ByteSpan bytes) {
  TRY(check_range(range_.length, offset, bytes.size()));
  return lower_->write(range_.offset + offset, bytes);
}

Result<void> LinearTarget::discard(std::uint64_t offset, std::uint64_t length) {
  TRY(check_range(range_.length, offset, length));
  return lower_->discard(range_.offset + offset, length);
}

Result<void> LinearTarget::zero(std::uint64_t offset, std::uint64_t length) {
  TRY(check_range(range_.length, offset, length));
  return lower_->zero(range_.offset + offset, length);
}

Result<void> LinearTarget::extents(std::uint64_t offset, std::uint64_t length,
                                   const ExtentSink& sink) const {
  TRY(check_range(range_.length, offset, length));
  return lower_->extents(range_.offset + offset, length, [&](Extent extent) {
    extent.offset -= range_.offset;
    return sink(extent);
  });
}

}  // namespace intact::block
