#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include <intact/block/file_device.h>
#include <intact/dm/line.h>
#include <intact/dm/target.h>

namespace intact::dm {

namespace {

constexpr std::uint64_t kPage = 4096;  // bytes

Error written_twice(std::uint64_t begin, std::uint64_t end, const char* how) {
  return {ErrorKind::busy,
          fmt::format("sectors {} to {} of its device are written by another line too{}; only one "
                      "line can write to a place, so open it read-only or leave one of the lines "
                      "out",
                      begin / kSectorSize, (end - 1) / kSectorSize, how)};
}

}  // namespace

/// The kernel caches a disk and its partitions, or a loop device and its file, by themselves and in
/// pages, so that what is written through one name writes the rest of a page as this name knows it.
Result<std::vector<block::StorageRange>> Claims::storage(const block::Device& device,
                                                         std::uint64_t offset,
                                                         std::uint64_t length) {
  const auto* file = dynamic_cast<const block::FileDevice*>(&device);
  if (file == nullptr) return std::vector<block::StorageRange>();
  const std::uint64_t begin = offset / kPage * kPage;
  const std::uint64_t end = offset + length;
  const std::uint64_t whole = end + (kPage - end % kPage) % kPage;
  // Nothing is beyond the end of the device.
  return block::storage_of(file->fd(), begin, std::max(end, std::min(whole, file->size())) - begin);
}

Result<void> Claims::add(const block::Device& device, std::uint64_t offset, std::uint64_t length,
                         bool writes_now) {
  const std::uint64_t end = offset + length;
  auto places = TRY(storage(device, offset, length));
  for (const Claim& other : claims_) {
    if (other.line == line_) continue;
    std::optional<Error> error;
    if (other.device == &device) {
      if (other.begin < end && offset < other.end)
        error = written_twice(std::max(offset, other.begin), std::min(end, other.end), "");
    } else if (const auto shared = block::shared_storage(places, other.storage)) {
      const std::uint64_t begin = offset / kPage * kPage;
      error = shared->exact
                  ? written_twice(begin + shared->begin, begin + shared->end, ", by another name")
                  : written_twice(offset, end, ", as a part of something larger");
    }
    if (!error) continue;
    if (writes_now) return *std::move(error);
    conflicts_.push_back({.device = &device, .error = *std::move(error)});
  }
  claims_.push_back({.device = &device,
                     .begin = offset,
                     .end = end,
                     .line = line_,
                     .storage = std::move(places)});
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
