#include <algorithm>
#include <mutex>

#include <intact/base/checked.h>
#include <intact/block/byte_device.h>

namespace intact::block {

/// Puts `bytes`, or zeros if there are none, into the one block that holds the range.
Result<void> ByteDevice::change_part(std::uint64_t offset, std::uint64_t length, ByteSpan bytes) {
  const std::uint64_t block_size = lower_->block_size();
  Bytes block(block_size);
  const std::uint64_t begin = offset - offset % block_size;
  TRY(lower_->read(begin, block));
  const auto at = block.begin() + static_cast<std::ptrdiff_t>(offset - begin);
  if (bytes.empty())
    std::fill_n(at, length, std::byte{});
  else
    std::copy_n(bytes.begin(), length, at);
  return lower_->write(begin, block);
}

/// `whole(offset in the range, length)` changes the whole blocks in the range.
template <typename Whole>
Result<void> ByteDevice::change(std::uint64_t offset, std::uint64_t length, ByteSpan bytes,
                                Whole whole) {
  TRY(check_range(size(), offset, length));
  if (is_aligned(offset, length)) {
    const std::shared_lock lock(mutex_);
    return whole(0, length);
  }
  const std::unique_lock lock(mutex_);
  const std::uint64_t block_size = lower_->block_size();
  const auto part = [&](std::uint64_t from, std::uint64_t n) {
    return n == 0 ? Result<void>()
                  : change_part(offset + from, n, bytes.empty() ? bytes : bytes.subspan(from, n));
  };
  const std::uint64_t head = std::min(length, (block_size - offset % block_size) % block_size);
  const std::uint64_t middle = (length - head) / block_size * block_size;
  TRY(part(0, head));
  if (middle > 0) TRY(whole(head, middle));
  return part(head + middle, length - head - middle);
}

Result<void> ByteDevice::write(std::uint64_t offset, ByteSpan bytes) {
  return change(offset, bytes.size(), bytes, [&](std::uint64_t from, std::uint64_t n) {
    return lower_->write(offset + from, bytes.subspan(from, n));
  });
}

Result<void> ByteDevice::zero(std::uint64_t offset, std::uint64_t length) {
  return change(offset, length, {}, [&](std::uint64_t from, std::uint64_t n) {
    return lower_->zero(offset + from, n);
  });
}

Result<void> ByteDevice::discard(std::uint64_t offset, std::uint64_t length) {
  TRY(check_range(size(), offset, length));
  const std::uint64_t block_size = lower_->block_size();
  const std::uint64_t end = (offset + length) / block_size * block_size;
  const auto begin = checked_align_up(offset, block_size);
  if (!begin || *begin >= end) return {};
  const std::shared_lock lock(mutex_);
  return lower_->discard(*begin, end - *begin);
}

}  // namespace intact::block
