// A dm-verity superblock is refused, or describes a volume that can be: what it says is within
// bounds and survives being written again.
#include <algorithm>
#include <memory>

#include <intact/block/memory_device.h>
#include <intact/verity/volume.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace intact;
  const ByteSpan bytes = fuzz::input(data, size);
  verity::RawSuperblock raw{};
  std::copy_n(data, std::min(size, sizeof raw), reinterpret_cast<std::uint8_t*>(&raw));
  const auto superblock = verity::parse_superblock(raw);
  if (superblock) {
    const auto again = verity::parse_superblock(verity::encode(*superblock));
    fuzz::require(again.has_value() && *again == *superblock);
    // May be too large all the same: then that is said.
    if (const auto geometry = verity::Geometry::create(superblock->params)) {
      fuzz::require(geometry->data_size() <= static_cast<std::uint64_t>(INT64_MAX) &&
                    geometry->hash_size() <= static_cast<std::uint64_t>(INT64_MAX));
      fuzz::require(geometry->levels().size() < 64);
    }
  }
  // Devices are as large as they are, whatever the superblock says.
  const auto device = std::make_shared<block::MemoryDevice>(Bytes(bytes.begin(), bytes.end()));
  const auto stored = verity::read_superblock(*device, 0);
  fuzz::require(stored.has_value() == (superblock.has_value() && size >= sizeof raw));
  if (stored)
    (void)verity::open({.params = stored->params}, {.data = device, .hash = device}, Bytes(32));
  return 0;
}
