// Disk images that anyone could have changed, with what a user says about them: they are refused,
// or opened, and what a root hash covers is what it was.
#include <array>
#include <memory>

#include <sys/mman.h>

#include <intact/base/file.h>
#include <intact/block/byte_device.h>
#include <intact/block/memory_device.h>
#include <intact/integrity/integrity_target.h>
#include <intact/integrity/probe.h>
#include <intact/stack/discover.h>
#include <intact/stack/stack.h>
#include <intact/verity/probe.h>
#include <intact/verity/volume.h>

#include "fuzz.h"

namespace {

using namespace intact;

constexpr std::size_t kBlock = 4096;
constexpr std::size_t kSize = 128 << 10;
constexpr std::size_t kDataBlocks = 3;

dm::Key key() {
  return std::make_shared<const crypto::Secret>(crypto::Secret::copy_of(Bytes(16, std::byte{7})));
}

Bytes content() {
  Bytes bytes(kDataBlocks * kBlock);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 7 + i / 512);
  return bytes;
}

/// A volume in one file, with its root hash.
std::pair<Bytes, Bytes> make_verity() {
  Bytes bytes = content();
  const verity::Layout layout{.params = {.data_blocks = kDataBlocks}, .hash_offset = bytes.size()};
  bytes.resize(verity::needed_sizes(layout, 0, false).value().hash);
  const auto memory = std::make_shared<block::MemoryDevice>(bytes);
  auto root = verity::format(layout, {.data = memory, .hash = memory}, verity::Uuid{});
  return {memory->bytes(), root.value()};
}

/// A dm-integrity device that holds `inner`.
Bytes make_integrity(const Bytes& inner, bool keyed) {
  integrity::Params params{.journal_sectors = 64, .interleave_sectors = 256, .fix_padding = true};
  params.internal_hash =
      keyed ? integrity::Algorithm{"hmac(sha256)", key()} : integrity::Algorithm{"crc32c", {}};
  const auto memory = std::make_shared<block::MemoryDevice>(Bytes(kSize));
  params.tag_size = integrity::format(params, {.data = memory}).value().tag_size;
  auto target = integrity::IntegrityTarget::open(params, {.data = memory}, {}).value();
  fuzz::require(target->write(0, Bytes(target->size())).has_value());
  fuzz::require(target->write(0, inner).has_value() && target->close().has_value());
  return memory->bytes();
}

struct Images {
  Images() {
    const auto [volume, hash] = make_verity();
    root = hash;
    all = {Bytes(),
           volume,
           make_integrity(content(), false),
           make_integrity(content(), true),
           make_integrity(volume, false),
           make_integrity(volume, true)};
  }
  Bytes root;
  std::array<Bytes, 6> all;
};

dm::File file_of(const Bytes& bytes) {
  UniqueFd fd(::memfd_create("image", MFD_CLOEXEC));
  fuzz::require(fd && pwrite_all(fd.get(), 0, bytes).has_value());
  return block::FileDevice::create_locked(std::move(fd), block::Access::read_only).value();
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Images images;
  if (size < 2) return 0;
  Bytes image = images.all[data[0] % images.all.size()];
  const ByteSpan rest = fuzz::input(data, size).subspan(2);
  if (image.empty()) {
    image.assign(rest.begin(), rest.end());
  } else {
    // Three bytes for each change: a place and what is added to it.
    for (std::size_t i = 0; i + 3 <= rest.size(); i += 3) {
      const std::size_t place =
          std::to_integer<std::size_t>(rest[i]) | std::to_integer<std::size_t>(rest[i + 1]) << 8;
      if (place < image.size()) image[place] ^= rest[i + 2];
    }
  }
  const bool says_root = (data[1] & 1) != 0, says_key = (data[1] & 2) != 0;
  stack::Credentials said;
  if (says_root) {
    const auto verity = std::make_shared<verity::Credentials>();
    verity->root = images.root;
    if ((data[1] & 4) != 0) verity->superblock_at = kDataBlocks * kBlock;
    said.push_back(verity);
  }
  if (says_key) {
    const auto integrity = std::make_shared<integrity::Credentials>();
    integrity->internal_hash = integrity::Algorithm{.name = {}, .key = key()};
    said.push_back(integrity);
  }
  const auto access = (data[1] & 8) != 0 ? block::Access::read_write : block::Access::read_only;
  auto plan = stack::discover("image", file_of(image), said, access);
  if (!plan) return 0;
  fuzz::require(plan->tables.size() <= stack::kMaxTables);
  bool verified = false, tagged = false;
  for (const dm::Table& table : plan->tables) {
    verified |= table.lines[0].target == "verity";
    tagged |= table.lines[0].target == "integrity";
  }
  // What was said is not ignored.
  fuzz::require((verified || !says_root) && (tagged || !says_key));
  auto stack = stack::open(*plan, {});
  if (!stack) return 0;
  const auto top = stack->top();
  if (verified) {
    fuzz::require(!top->writable());
    Bytes out(kBlock);
    const Bytes whole = content();
    for (std::size_t at = 0; at + kBlock <= std::min<std::size_t>(top->size(), whole.size());
         at += kBlock)
      if (top->read(at, out)) fuzz::require(equal(out, ByteSpan(whole).subspan(at, kBlock)));
  } else if (top->writable() && top->size() >= kBlock) {
    const auto bytes = std::make_shared<block::ByteDevice>(top);
    Bytes out(100);
    const Bytes text(100, std::byte{0x5a});
    if (bytes->write(50, text) && bytes->read(50, out)) fuzz::require(out == text);
  }
  (void)stack->close();
  return 0;
}
