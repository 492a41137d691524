#include <algorithm>

#include <fmt/format.h>

#include <intact/base/checked.h>
#include <intact/block/linear_target.h>

namespace intact::block {

Result<std::unique_ptr<ConcatTarget>> ConcatTarget::open(
    std::vector<std::shared_ptr<Device>> parts) {
  if (parts.empty()) return Error(ErrorKind::invalid_argument, "a device needs at least one part");
  std::unique_ptr<ConcatTarget> target(new ConcatTarget);
  std::uint64_t end = 0;
  for (const auto& part : parts) {
    const auto sum = checked_add(end, part->size());
    if (!sum) return Error(ErrorKind::invalid_argument, "the parts are too large together");
    target->ends_.push_back(end = *sum);
    target->block_size_ = std::max(target->block_size_, part->block_size());
    target->writable_ &= part->writable();
  }
  // The end of the last part matters only to those who write.
  const std::size_t whole = parts.size() - (target->writable_ ? 0 : 1);
  for (std::size_t i = 0; i < whole; ++i)
    if (target->ends_[i] % target->block_size_ != 0)
      return Error(ErrorKind::invalid_argument,
                   fmt::format("part {} ends within a block of {} bytes", i, target->block_size_));
  target->parts_ = std::move(parts);
  return target;
}

template <typename Use>
Result<void> ConcatTarget::for_parts(std::uint64_t offset, std::uint64_t length, Use use) const {
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

Result<void> ConcatTarget::read(std::uint64_t offset, MutableByteSpan out) const {
  TRY(check_range(size(), offset, out.size()));
  return for_parts(offset, out.size(),
                   [&](Device& part, std::uint64_t at, std::uint64_t from, std::uint64_t n) {
                     return part.read(at, out.subspan(from, n));
                   });
}

Result<void> ConcatTarget::write(std::uint64_t offset, ByteSpan bytes) {
  TRY(check_blocks(*this, offset, bytes.size()));
  return for_parts(offset, bytes.size(),
                   [&](Device& part, std::uint64_t at, std::uint64_t from, std::uint64_t n) {
                     return part.write(at, bytes.subspan(from, n));
                   });
}

Result<void> ConcatTarget::flush() {
  for (const auto& part : parts_) TRY(part->flush());
  return {};
}

Result<void> ConcatTarget::discard(std::uint64_t offset, std::uint64_t length) {
  TRY(check_blocks(*this, offset, length));
  return for_parts(offset, length,
                   [](Device& part, std::uint64_t at, std::uint64_t, std::uint64_t n) {
                     return part.discard(at, n);
                   });
}

Result<void> ConcatTarget::zero(std::uint64_t offset, std::uint64_t length) {
  TRY(check_blocks(*this, offset, length));
  return for_parts(offset, length,
                   [](Device& part, std::uint64_t at, std::uint64_t, std::uint64_t n) {
                     return part.zero(at, n);
                   });
}

Result<void> ConcatTarget::extents(std::uint64_t offset, std::uint64_t length,
                                   const ExtentSink& sink) const {
  TRY(check_range(size(), offset, length));
  bool wants_more = true;
  return for_parts(
      offset, length,
      [&](Device& part, std::uint64_t at, std::uint64_t from, std::uint64_t n) -> Result<void> {
        std::uint64_t end = at;
        if (wants_more)
          TRY(part.extents(at, n, [&](Extent extent) {
            end = extent.offset + extent.length;
            extent.offset += offset + from - at;
            return wants_more = sink(extent);
          }));
        // What follows a search that was broken off would leave a gap.
        wants_more = wants_more && end == at + n;
        return {};
      });
}

}  // namespace intact::block
