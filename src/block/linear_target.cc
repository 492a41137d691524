#include <algorithm>

#include <fmt/format.h>

#include <intact/base/checked.h>
#include <intact/block/linear_target.h>

namespace intact::block {

Result<std::unique_ptr<SliceTarget>> SliceTarget::open(std::shared_ptr<BlockTarget> lower,
                                                       Range range) {
  TRY(check_blocks(*lower, range.offset, range.length));
  return std::unique_ptr<SliceTarget>(new SliceTarget(std::move(lower), range));
}

Result<void> SliceTarget::read(std::uint64_t offset, MutableByteSpan out) const {
  TRY(check_range(range_.length, offset, out.size()));
  return lower_->read(range_.offset + offset, out);
}

Result<void> SliceTarget::write(std::uint64_t offset, ByteSpan bytes) {
  TRY(check_range(range_.length, offset, bytes.size()));
  return lower_->write(range_.offset + offset, bytes);
}

Result<void> SliceTarget::discard(std::uint64_t offset, std::uint64_t length) {
  TRY(check_range(range_.length, offset, length));
  return lower_->discard(range_.offset + offset, length);
}

Result<void> SliceTarget::zero(std::uint64_t offset, std::uint64_t length) {
  TRY(check_range(range_.length, offset, length));
  return lower_->zero(range_.offset + offset, length);
}

Result<std::unique_ptr<LinearTarget>> LinearTarget::open(
    std::vector<std::unique_ptr<BlockTarget>> parts) {
  if (parts.empty()) return Error(ErrorKind::invalid_argument, "a device needs at least one part");
  std::unique_ptr<LinearTarget> target(new LinearTarget);
  std::uint64_t end = 0;
  for (const auto& part : parts) {
    const auto sum = checked_add(end, part->size());
    if (!sum) return Error(ErrorKind::invalid_argument, "the parts are too large together");
    target->ends_.push_back(end = *sum);
    target->block_size_ = std::max(target->block_size_, part->block_size());
    target->writable_ &= part->writable();
  }
  for (std::size_t i = 0; i + 1 < parts.size(); ++i)
    if (target->ends_[i] % target->block_size_ != 0)
      return Error(ErrorKind::invalid_argument,
                   fmt::format("part {} ends within a block of {} bytes", i, target->block_size_));
  target->parts_ = std::move(parts);
  return target;
}

template <typename Use>
Result<void> LinearTarget::for_parts(std::uint64_t offset, std::uint64_t length, Use use) const {
  auto i = static_cast<std::size_t>(std::upper_bound(ends_.begin(), ends_.end(), offset) -
                                    ends_.begin());
  for (std::uint64_t done = 0; done < length; ++i) {
    const std::uint64_t begin = i == 0 ? 0 : ends_[i - 1];
    const std::uint64_t n = std::min(length - done, ends_[i] - (offset + done));
    TRY(use(*parts_[i], offset + done - begin, done, n));
    done += n;
  }
  return {};
}

Result<void> LinearTarget::read(std::uint64_t offset, MutableByteSpan out) const {
  TRY(check_range(size(), offset, out.size()));
  return for_parts(offset, out.size(),
                   [&](BlockTarget& part, std::uint64_t at, std::uint64_t from, std::uint64_t n) {
                     return part.read(at, out.subspan(from, n));
                   });
}

Result<void> LinearTarget::write(std::uint64_t offset, ByteSpan bytes) {
  TRY(check_blocks(*this, offset, bytes.size()));
  return for_parts(offset, bytes.size(),
                   [&](BlockTarget& part, std::uint64_t at, std::uint64_t from, std::uint64_t n) {
                     return part.write(at, bytes.subspan(from, n));
                   });
}

Result<void> LinearTarget::flush() {
  for (const auto& part : parts_) TRY(part->flush());
  return {};
}

Result<void> LinearTarget::discard(std::uint64_t offset, std::uint64_t length) {
  TRY(check_blocks(*this, offset, length));
  return for_parts(offset, length,
                   [](BlockTarget& part, std::uint64_t at, std::uint64_t, std::uint64_t n) {
                     return part.discard(at, n);
                   });
}

Result<void> LinearTarget::zero(std::uint64_t offset, std::uint64_t length) {
  TRY(check_blocks(*this, offset, length));
  return for_parts(offset, length,
                   [](BlockTarget& part, std::uint64_t at, std::uint64_t, std::uint64_t n) {
                     return part.zero(at, n);
                   });
}

}  // namespace intact::block
