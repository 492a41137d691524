#include <algorithm>

#include <intact/base/checked.h>
#include <intact/stack/recognise.h>
#include <intact/verity/geometry.h>
#include <intact/verity/superblock.h>

#include "headers.h"

namespace intact::stack {
namespace {

/// Blocks of a file of the usual kind: data, superblock, tree.
std::optional<std::uint64_t> blocks_with(const verity::Params& params) {
  const auto geometry = verity::Geometry::create(params);
  if (!geometry) return std::nullopt;
  return geometry->data_blocks() + 1 + geometry->hash_blocks();
}

/// Where the superblock is if a volume fills the file: it has as many data blocks as leave room for
/// their tree. Assumes the defaults of veritysetup except for the hash.
std::optional<std::uint64_t> offset_by_size(std::uint64_t file_size, const char* hash) {
  verity::Params params{.hash = hash};
  const std::uint64_t blocks = file_size / params.data_block_size;
  std::uint64_t low = 0;
  std::uint64_t high = blocks;  // too many
  while (low + 1 < high) {
    params.data_blocks = low + (high - low) / 2;
    const auto needed = blocks_with(params);
    (needed && *needed <= blocks ? low : high) = params.data_blocks;
  }
  return low == 0 ? std::nullopt : std::optional(low * params.data_block_size);
}

Result<std::optional<verity::Superblock>> superblock_at(const ByteSource& file,
                                                        std::uint64_t offset) {
  verity::RawSuperblock raw;
  if (offset > file.size() || file.size() - offset < sizeof raw)
    return std::optional<verity::Superblock>();
  TRY(file.read(offset, MutableByteSpan(reinterpret_cast<std::byte*>(&raw), sizeof raw)));
  auto parsed = verity::parse_superblock(raw);
  return parsed ? std::optional(*std::move(parsed)) : std::nullopt;
}

/// The usual places, or only `given`.
std::vector<std::uint64_t> places_of_superblock(std::uint64_t file_size,
                                                std::optional<std::uint64_t> given,
                                                const std::optional<Content>& inner) {
  if (given) return {*given};
  std::vector<std::uint64_t> places = {0};
  const auto add = [&places](std::optional<std::uint64_t> place) {
    if (place) places.push_back(*place);
  };
  if (inner && inner->facts.contains("size")) {
    const auto end = inner->facts["size"].get<std::uint64_t>();
    add(checked_align_up<std::uint64_t>(end, 512));
    add(checked_align_up<std::uint64_t>(end, 4096));
  }
  for (const char* hash : {"sha256", "sha512", "sha1"}) add(offset_by_size(file_size, hash));
  return places;
}

Content describe(const verity::Superblock& superblock, std::uint64_t offset) {
  const verity::Params& params = superblock.params;
  return {.format = "verity",
          .title = "dm-verity",
          .offset = offset,
          .facts = {{"uuid", superblock.uuid.to_string()},
                    {"hash_type", static_cast<std::uint32_t>(params.hash_type)},
                    {"hash", params.hash},
                    {"data_blocks", params.data_blocks},
                    {"data_block_size", params.data_block_size},
                    {"hash_block_size", params.hash_block_size},
                    {"salt", to_hex(params.salt)}}};
}

}  // namespace

Result<std::vector<Content>> recognise(const ByteSource& file,
                                       std::optional<std::uint64_t> hash_offset) {
  Bytes begin(std::min<std::uint64_t>(file.size(), kHeaderSize));
  TRY(file.read(0, begin));
  std::optional<Content> inner = describe_header(begin);
  std::vector<Content> layers;
  for (const std::uint64_t place : places_of_superblock(file.size(), hash_offset, inner))
    if (const auto superblock = TRY(superblock_at(file, place))) {
      layers.push_back(describe(*superblock, place));
      break;
    }
  if (inner) layers.push_back(*std::move(inner));
  return layers;
}

}  // namespace intact::stack
