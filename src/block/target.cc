#include <fmt/format.h>

#include <intact/block/target.h>

namespace intact::block {
namespace {

Error read_only() {
  return Error(ErrorKind::invalid_argument, "this device is read-only");
}

}  // namespace

Result<void> ReadOnlyTarget::write(std::uint64_t, ByteSpan) {
  return read_only();
}

Result<void> ReadOnlyTarget::discard(std::uint64_t, std::uint64_t) {
  return read_only();
}

Result<void> ReadOnlyTarget::zero(std::uint64_t, std::uint64_t) {
  return read_only();
}

Result<void> check_range(std::uint64_t size, std::uint64_t offset, std::uint64_t length) {
  if (offset > size || size - offset < length)
    return Error(ErrorKind::malformed,
                 fmt::format("bytes {}+{} are beyond the end of the device ({} bytes)", offset,
                             length, size));
  return {};
}

Result<void> check_blocks(const BlockTarget& target, std::uint64_t offset, std::uint64_t length) {
  TRY(check_range(target.size(), offset, length));
  if ((offset | length) % target.block_size() != 0)
    return Error(ErrorKind::invalid_argument,
                 fmt::format("bytes {}+{} are not whole blocks of {} bytes", offset, length,
                             target.block_size()));
  return {};
}

}  // namespace intact::block
