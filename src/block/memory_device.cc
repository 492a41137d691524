#include <algorithm>
#include <mutex>

#include <intact/block/memory_device.h>

namespace intact::block {

Result<void> MemoryDevice::read(std::uint64_t offset, MutableByteSpan out) const {
  TRY(check_range(bytes_.size(), offset, out.size()));
  const std::shared_lock lock(mutex_);
  std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
  return {};
}

Result<void> MemoryDevice::write(std::uint64_t offset, ByteSpan bytes) {
  TRY(check_range(bytes_.size(), offset, bytes.size()));
  const std::unique_lock lock(mutex_);
  std::copy(bytes.begin(), bytes.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(offset));
  return {};
}

Result<void> MemoryDevice::discard(std::uint64_t offset, std::uint64_t length) {
  return zero(offset, length);
}

Result<void> MemoryDevice::zero(std::uint64_t offset, std::uint64_t length) {
  TRY(check_range(bytes_.size(), offset, length));
  const std::unique_lock lock(mutex_);
  std::fill_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), length, std::byte{0});
  return {};
}

Result<void> ZeroDevice::read(std::uint64_t offset, MutableByteSpan out) const {
  TRY(check_range(size_, offset, out.size()));
  std::fill(out.begin(), out.end(), std::byte{0});
  return {};
}

Result<void> ZeroDevice::extents(std::uint64_t offset, std::uint64_t length,
                                 const ExtentSink& sink) const {
  TRY(check_range(size_, offset, length));
  if (length != 0) sink({.offset = offset, .length = length, .kind = ExtentKind::hole});
  return {};
}

}  // namespace intact::block
