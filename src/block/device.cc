#include <optional>

#include <fmt/format.h>

#include <intact/block/device.h>

namespace intact::block {

Result<void> Device::extents(std::uint64_t offset, std::uint64_t length,
                             const ExtentSink& sink) const {
  TRY(check_range(size(), offset, length));
  if (length != 0) sink({.offset = offset, .length = length, .kind = ExtentKind::data});
  return {};
}

Result<void> Device::make_writable() {
  if (writable()) return {};
  return read_only_error();
}

Error read_only_error() {
  return {ErrorKind::invalid_argument, "this device is read-only"};
}

Result<void> ReadOnlyDevice::write(std::uint64_t, ByteSpan) {
  return read_only_error();
}

Result<void> ReadOnlyDevice::discard(std::uint64_t, std::uint64_t) {
  return read_only_error();
}

Result<void> ReadOnlyDevice::zero(std::uint64_t, std::uint64_t) {
  return read_only_error();
}

Result<void> check_range(std::uint64_t size, std::uint64_t offset, std::uint64_t length) {
  if (offset > size || size - offset < length)
    return Error(ErrorKind::malformed,
                 fmt::format("bytes {}+{} are beyond the end of the device ({} bytes)", offset,
                             length, size));
  return {};
}

Result<void> check_blocks(const Device& device, std::uint64_t offset, std::uint64_t length) {
  TRY(check_range(device.size(), offset, length));
  if (const std::uint32_t block = device.block_size(); (offset | length) % block != 0)
    return Error(
        ErrorKind::invalid_argument,
        fmt::format("bytes {}+{} are not whole blocks of {} bytes", offset, length, block));
  return {};
}

Result<void> for_each_extent(const Device& device, const ExtentSink& sink) {
  std::optional<Extent> pending;
  bool wants_more = true;
  std::uint64_t at = 0;
  while (wants_more && at < device.size()) {
    const std::uint64_t begin = at;
    TRY(device.extents(at, device.size() - at, [&](const Extent& extent) {
      at = extent.offset + extent.length;
      if (pending && pending->kind == extent.kind) {
        pending->length += extent.length;
        return true;
      }
      if (pending) wants_more = sink(*pending);
      pending = extent;
      return wants_more;
    }));
    if (at == begin) return Error(ErrorKind::io, "the device does not tell its extents");
  }
  if (wants_more && pending) sink(*pending);
  return {};
}

}  // namespace intact::block
