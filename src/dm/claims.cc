#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <intact/block/file_device.h>
#include <intact/dm/line.h>
#include <intact/dm/target.h>

namespace intact::dm {

Result<void> Claims::add(const block::Device& device, std::uint64_t offset, std::uint64_t length,
                         bool writes_now) {
  const std::uint64_t end = offset + length;
  for (const Claim& other : claims_) {
    if (other.device != &device || other.line == line_ || other.begin >= end || offset >= other.end)
      continue;
    Error error(ErrorKind::busy,
                fmt::format("sectors {} to {} of its device are written by another line too; "
                            "only one line can write to a place, so open it read-only or "
                            "leave one of the lines out",
                            std::max(offset, other.begin) / kSectorSize,
                            (std::min(end, other.end) - 1) / kSectorSize));
    if (writes_now) return error;
    conflicts_.push_back({.device = &device, .error = std::move(error)});
  }
  claims_.push_back({.device = &device, .begin = offset, .end = end, .line = line_});
  return {};
}

Result<void> Claims::check() const {
  for (const Conflict& conflict : conflicts_) {
    // A device of an earlier line becomes writable after this, a file has become it before.
    const bool is_file = dynamic_cast<const block::FileDevice*>(conflict.device) != nullptr;
    if (!is_file || conflict.device->writable()) return Error(conflict.error);
  }
  return {};
}

Result<void> Opening::claim(const block::Device& device, std::uint64_t offset,
                            std::uint64_t length) const {
  if (claims == nullptr) return {};
  return claims->add(device, offset, length, may_be_written() && device.writable());
}

}  // namespace intact::dm
