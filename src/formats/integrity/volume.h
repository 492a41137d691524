#pragma once

#include <atomic>
#include <memory>

#include <intact/integrity/integrity_target.h>

#include "data_area.h"
#include "failure.h"
#include "meta_io.h"
#include "range_lock.h"
#include "superblock_store.h"
#include "tag_hash.h"
#include "tag_store.h"

namespace intact::integrity {

constexpr std::byte kDiscardFiller{0xf6};  ///< of the tags of discarded blocks

/// What all parts of an open device share. Thread-safe.
struct Volume {
  Volume(const Params& p, Devices d, const Layout& l, std::unique_ptr<SuperblockStore> s,
         std::size_t tag_cache_size)
      : params(p),
        devices(std::move(d)),
        layout(l),
        meta(devices.of_meta(), failure),
        data(layout, *devices.data, failure),
        tags(
            layout, meta, tag_cache_size,
            // Mode D cannot repair what a killed process leaves, so tags are written at once.
            params.mode == Mode::direct ? TagStore::Writes::at_once : TagStore::Writes::with_flush),
        superblock(std::move(s)) {}
  Volume(const Volume&) = delete;
  Volume& operator=(const Volume&) = delete;

  const Params params;
  const Devices devices;
  const Layout layout;
  std::unique_ptr<const TagHash> hash;  ///< null: the layer above supplies the tags
  Failure failure;
  MetaIo meta;
  DataArea data;
  TagStore tags;
  RangeLock ranges;  ///< of data and tags in place
  const std::unique_ptr<SuperblockStore> superblock;

  std::uint64_t block_of(std::uint64_t sector) const {
    return sector >> layout.log2_sectors_per_block();
  }
  std::uint64_t sector_of(std::uint64_t block) const {
    return block << layout.log2_sectors_per_block();
  }
  std::uint64_t sectors_in(ByteSpan bytes) const { return bytes.size() / kSectorSize; }

  /// Writes contiguous blocks and their tags to their places; empty tags leave the present ones.
  /// Not atomic, not flushed.
  Result<void> write_in_place(std::uint64_t block, ByteSpan blocks, ByteSpan block_tags) {
    const RangeLock::Exclusive lock(ranges, sector_of(block), sectors_in(blocks));
    TRY(data.write(sector_of(block), blocks));
    if (block_tags.empty()) return {};
    return tags.write(block, block_tags);
  }
  /// The same for blocks that need not be contiguous on the device.
  Result<void> write_places(std::uint64_t block, ByteSpan blocks, ByteSpan block_tags);
  /// Zeros and their tags in place: as write_places(), but a file may keep a hole instead.
  Result<void> zero_places(std::uint64_t block, std::uint64_t blocks, ByteSpan block_tags);
  /// Makes data and tags in place durable.
  Result<void> flush_in_place() {
    TRY(tags.write_back());
    if (devices.meta) TRY(meta.flush());
    return data.flush();
  }
  /// Makes tags in place durable.
  Result<void> flush_tags() {
    TRY(tags.write_back());
    return meta.flush();
  }
  /// Marks blocks as discarded: any content is accepted then. Not flushed.
  Result<void> fill_tags(std::uint64_t block, std::uint64_t blocks);
};

}  // namespace intact::integrity
