#include "block_reader.h"

#include <algorithm>

#include <fmt/format.h>

#include "tag_compare.h"

namespace intact::integrity {
namespace {

/// Bytes read and then checked in one go, while they are still in the processor's cache.
constexpr std::size_t kChunk = 128 << 10;

bool is_discarded(ByteSpan tag) {
  return std::ranges::all_of(tag, [](std::byte b) { return b == kDiscardFiller; });
}

}  // namespace

Result<void> BlockReader::read(std::uint64_t block, MutableByteSpan out, MutableByteSpan tags) {
  using Kind = JournalRing::Run::Kind;
  const std::size_t block_size = volume_.layout.block_size(), tag_size = volume_.layout.tag_size();
  Met met;
  while (!out.empty()) {
    const std::size_t size = std::min(out.size(), kChunk);
    const RangeLock::Shared lock(volume_.ranges, volume_.sector_of(block), size / kSectorSize);
    for (std::size_t at = 0; at < size;) {
      const MutableByteSpan rest = out.subspan(at, size - at);
      const std::uint64_t here = block + at / block_size;
      const JournalRing::Run run = ring_
                                       ? TRY(ring_->copy(here, rest, tags))
                                       : JournalRing::Run{rest.size() / block_size, Kind::in_place};
      const std::size_t bytes = run.blocks * block_size;
      const std::size_t tag_bytes = tags.empty() ? 0 : run.blocks * tag_size;
      if (run.kind == Kind::in_place)
        TRY(read_places(here, rest.first(bytes), tags.first(tag_bytes), met));
      if (run.kind == Kind::changed)
        for (std::uint64_t i = 0; i < run.blocks; ++i) add(here + i, met.bad);
      tags = tags.subspan(tag_bytes);
      at += bytes;
    }
    out = out.subspan(size);
    block += size / block_size;
  }
  if (on_discarded_)
    for (const Mismatch& range : met.discarded) on_discarded_(range);
  if (!met.bad.empty()) return refuse(met.bad);
  return {};
}

Result<void> BlockReader::read_places(std::uint64_t block, MutableByteSpan out,
                                      MutableByteSpan tags, Met& met) {
  const std::size_t block_size = volume_.layout.block_size(), tag_size = volume_.layout.tag_size();
  Scratch scratch;
  while (!out.empty()) {
    const std::uint64_t sector = volume_.sector_of(block);
    const std::size_t size = std::min<std::uint64_t>(
        out.size(), volume_.layout.contiguous_sectors(sector) * kSectorSize);
    const std::size_t count = size / block_size;
    TRY(volume_.data.read(sector, out.first(size)));
    if (!tags.empty()) {
      TRY(volume_.tags.read(block, tags.first(count * tag_size)));
      tags = tags.subspan(count * tag_size);
    } else if (recalculation_) {
      const MutableByteSpan own_tags = scratch.get(count * tag_size);
      TRY(volume_.tags.read(block, own_tags));
      compare(block, out.first(size), own_tags, met);
    }
    out = out.subspan(size);
    block += count;
  }
  return {};
}

/// Compares blocks whose tags are valid.
void BlockReader::compare(std::uint64_t block, MutableByteSpan blocks, ByteSpan tags, Met& met) {
  while (!blocks.empty()) {
    bool valid = false;
    const std::uint64_t sectors =
        recalculation_->run(volume_.sector_of(block), volume_.sectors_in(blocks), valid);
    const std::size_t size = sectors * kSectorSize;
    const std::size_t tag_bytes = volume_.block_of(sectors) * volume_.layout.tag_size();
    if (valid) compare_valid(block, blocks.first(size), tags.first(tag_bytes), met);
    block += volume_.block_of(sectors);
    blocks = blocks.subspan(size);
    tags = tags.subspan(tag_bytes);
  }
}

void BlockReader::compare_valid(std::uint64_t block, MutableByteSpan blocks, ByteSpan tags,
                                Met& met) {
  Scratch scratch;
  const MutableByteSpan computed = scratch.get(tags.size());
  volume_.hash->compute(block, blocks, computed);
  if (!equal_tags(computed, tags)) find_bad(block, blocks, computed, tags, met);
}

/// A tag for discarded blocks matches any data, and anyone can write it: with a key such a block
/// reads as zeros, never as its content.
void BlockReader::find_bad(std::uint64_t block, MutableByteSpan blocks, ByteSpan computed,
                           ByteSpan tags, Met& met) const {
  const std::size_t tag_size = volume_.layout.tag_size();
  for (std::size_t i = 0; i * tag_size < tags.size(); ++i) {
    const ByteSpan tag = tags.subspan(i * tag_size, tag_size);
    if (equal_tags(tag, computed.subspan(i * tag_size, tag_size))) continue;
    if (volume_.params.allow_discards && is_discarded(tag)) {
      const std::size_t size = volume_.layout.block_size();
      if (volume_.params.keyed()) std::ranges::fill(blocks.subspan(i * size, size), std::byte{0});
      add(block + i, met.discarded);
      continue;
    }
    add(block + i, met.bad);
  }
}

void BlockReader::add(std::uint64_t block, std::vector<Mismatch>& list) const {
  const std::uint64_t sector = volume_.sector_of(block), sectors = volume_.sector_of(1);
  if (!list.empty() && list.back().sector + list.back().sectors == sector)
    list.back().sectors += sectors;
  else
    list.push_back({.sector = sector, .sectors = sectors});
}

Error BlockReader::refuse(const std::vector<Mismatch>& bad) {
  mismatches_.fetch_add(1, std::memory_order_relaxed);
  if (on_mismatch_)
    for (const Mismatch& mismatch : bad) on_mismatch_(mismatch);
  const Mismatch& first = bad.front();
  return Error(ErrorKind::tampered,
               fmt::format("sectors {} to {} (byte {}) fail their tags{}", first.sector,
                           first.sector + first.sectors - 1, first.sector * kSectorSize,
                           bad.size() > 1 ? ", and others" : ""));
}

}  // namespace intact::integrity
