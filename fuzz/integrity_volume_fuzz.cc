// Small dm-integrity devices as a crash left them, with entries in the journal or bits in the
// bitmap, in which any byte may be another one: all that is read and checked was written there.
#include <algorithm>
#include <memory>

#include <intact/block/memory_device.h>
#include <intact/integrity/inspect.h>
#include <intact/integrity/integrity_target.h>

#include "fuzz.h"

namespace {

using namespace intact;
using namespace intact::integrity;

constexpr std::size_t kSize = 48 << 10;  // bytes of the device
constexpr std::uint64_t kNew = 5;        // sectors from 2 on that were written again

IntegrityTarget::Options quiet() {
  IntegrityTarget::Options options;
  options.background = false;
  options.tag_cache_size = 1 << 16;
  return options;
}

struct Left {
  explicit Left(Mode mode) {
    const Bytes key(16, std::byte{7});
    params = {.tag_size = 100,
              .mode = mode,
              .journal_sectors = 64,
              .interleave_sectors = 8,
              .fix_padding = true,
              .sectors_per_bit = 4,
              .internal_hash = Algorithm{"hmac(sha256)", std::make_shared<const crypto::Secret>(
                                                             crypto::Secret::copy_of(key))}};
    const auto memory = std::make_shared<block::MemoryDevice>(Bytes(kSize));
    fuzz::require(format(params, {memory}).has_value());
    auto target = IntegrityTarget::open(params, {memory}, quiet());
    fuzz::require(target.has_value());
    before.resize((*target)->size());
    for (std::size_t i = 0; i < before.size(); ++i)
      before[i] = static_cast<std::byte>(i * 7 + i / 512);
    after = before;
    for (std::uint64_t i = 2 * 512; i < (2 + kNew) * 512; ++i) after[i] ^= std::byte{0x55};
    fuzz::require((*target)->write(0, before).has_value() && (*target)->close().has_value());
    target = IntegrityTarget::open(params, {memory}, quiet());
    fuzz::require((*target)->write(1024, ByteSpan(after).subspan(1024, kNew * 512)).has_value() &&
                  (*target)->flush().has_value());
    image = memory->bytes();
  }
  Params params;
  Bytes before, after, image;
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Left kinds[] = {Left(Mode::journal), Left(Mode::bitmap)};
  if (size == 0) return 0;
  const Left& left = kinds[data[0] % 2];
  // Then three bytes for each change: a place and what is added to it.
  Bytes image = left.image;
  for (std::size_t i = 1; i + 3 <= size; i += 3) {
    const std::size_t place = data[i] | static_cast<std::size_t>(data[i + 1]) << 8;
    if (place < image.size()) image[place] ^= std::byte{data[i + 2]};
  }
  const auto memory = std::make_shared<block::MemoryDevice>(image);
  (void)report_journal(left.params, {memory});
  const auto target = IntegrityTarget::open(left.params, {memory}, quiet());
  if (!target) {
    fuzz::require(memory->bytes() == image);
    return 0;
  }
  const std::uint64_t end = std::min<std::uint64_t>((*target)->size(), left.before.size());
  for (std::uint64_t at = 0; at < end; at += 512) {
    Bytes block(512);
    std::uint64_t length = 512;
    if (!(*target)->is_checked(at, length) || !(*target)->read(at, block)) continue;
    fuzz::require(equal(block, ByteSpan(left.before).subspan(at, 512)) ||
                  equal(block, ByteSpan(left.after).subspan(at, 512)));
  }
  return 0;
}
