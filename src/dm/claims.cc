#include <algorithm>

#include <fmt/format.h>

#include <intact/dm/line.h>
#include <intact/dm/target.h>

namespace intact::dm {

Result<void> Claims::add(const block::Device& device, std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t end = offset + length;
  for (const Claim& other : claims_)
    if (other.device == &device && other.line != line_ && other.begin < end && offset < other.end)
      return Error(ErrorKind::busy,
                   fmt::format("sectors {} to {} of its device are written by another line too; "
                               "only one line can write to a place, so open it read-only or "
                               "leave one of the lines out",
                               std::max(offset, other.begin) / kSectorSize,
                               (std::min(end, other.end) - 1) / kSectorSize));
  claims_.push_back({.device = &device, .begin = offset, .end = end, .line = line_});
  return {};
}

Result<void> Opening::claim(const block::Device& device, std::uint64_t offset,
                            std::uint64_t length) const {
  if (claims == nullptr || !may_be_written() || !device.writable()) return {};
  return claims->add(device, offset, length);
}

}  // namespace intact::dm
