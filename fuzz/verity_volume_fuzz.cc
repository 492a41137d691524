// A small dm-verity volume in which any byte may be another one, read with the root hash that it
// had: all that can be read is what was written.
#include <algorithm>
#include <memory>

#include <intact/block/linear_target.h>
#include <intact/block/memory_device.h>
#include <intact/verity/volume.h>

#include "fuzz.h"

namespace {

using namespace intact;

constexpr std::uint32_t kBlock = 512;
constexpr std::uint64_t kBlocks = 18;  // two hash blocks and one above them

/// Superblock and hash area, parity, data in one file.
struct Volume {
  Volume() {
    layout.params = {.data_block_size = kBlock,
                     .hash_block_size = kBlock,
                     .data_blocks = kBlocks,
                     .salt = Bytes(8, std::byte{1})};
    layout.fec = verity::Layout::Fec{.roots = 2};
    Bytes content(kBlocks * kBlock);
    for (std::size_t i = 0; i < content.size(); ++i)
      content[i] = static_cast<std::byte>(i * 7 + i / kBlock);
    const std::uint64_t hash_size = verity::needed_sizes(layout, 0, false)->hash;
    const std::uint64_t fec_size = verity::needed_sizes(layout, hash_size, false)->fec;
    const auto hash = std::make_shared<block::MemoryDevice>(Bytes(hash_size));
    const auto fec = std::make_shared<block::MemoryDevice>(Bytes(fec_size));
    const auto data = std::make_shared<block::MemoryDevice>(content);
    root = *verity::format(layout, {.data = data, .hash = hash, .fec = fec}, verity::Uuid(), 1);
    parts = {hash->bytes(), fec->bytes(), content};
  }
  verity::Layout layout;
  Bytes root;
  std::vector<Bytes> parts;
};

/// Another shape may be valid too: a level of the tree, taken for the data, has the
/// same root hash. Callers that let others choose the superblock must know that.
bool same_shape(const verity::Params& a, const verity::Params& b) {
  return verity::Geometry::create(a)->levels().size() ==
         verity::Geometry::create(b)->levels().size();
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Volume good;
  // The input says where bytes differ: three bytes for each, a place and what is added to it.
  std::vector<Bytes> parts = good.parts;
  for (std::size_t i = 0; i + 3 <= size; i += 3) {
    std::size_t place = data[i] | static_cast<std::size_t>(data[i + 1]) << 8;
    for (Bytes& part : parts) {
      if (place < part.size()) {
        part[place] ^= std::byte{data[i + 2]};
        break;
      }
      place -= part.size();
    }
  }
  const Bytes& truth = good.parts[2];
  const auto hash = std::make_shared<block::MemoryDevice>(parts[0]);
  const auto fec = std::make_shared<block::MemoryDevice>(parts[1]);
  const auto content = std::make_shared<block::MemoryDevice>(parts[2]);
  const auto superblock = verity::read_superblock(*hash, 0);
  if (!superblock || !same_shape(superblock->params, good.layout.params)) return 0;

  verity::Layout layout = good.layout;
  layout.params = superblock->params;
  for (const bool with_fec : {false, true}) {
    if (!with_fec)
      layout.fec.reset();
    else
      layout.fec = good.layout.fec;
    const auto target = verity::open(
        layout, {.data = content, .hash = hash, .fec = with_fec ? fec : nullptr}, good.root);
    if (!target) continue;
    for (std::uint64_t at = 0; at < (*target)->size(); at += kBlock) {
      Bytes block(kBlock);
      if (!(*target)->read(at, block)) continue;
      fuzz::require(at + kBlock <= truth.size() &&
                    equal(block, ByteSpan(truth).subspan(at, kBlock)));
    }
  }
  return 0;
}
