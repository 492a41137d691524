#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/integrity/layout.h>

#include "meta_io.h"

namespace intact::integrity {

/// The tags on their device, through a cache of fixed size. Only sectors with changed tags are
/// written. Thread-safe.
class TagStore {
 public:
  /// When what is written goes to the device.
  enum class Writes : std::uint8_t {
    at_once,     ///< right after the data, so that a killed process leaves few blocks without tags
    with_flush,  ///< when write_back() asks for it, or when the cache needs the room
  };

  /// `cache_size` in bytes; a few pages at least.
  TagStore(const Layout& layout, MetaIo& meta, std::size_t cache_size, Writes writes);

  /// The tags of blocks from `block` on, as many as fit into `tags`. They and their blocks must be
  /// contiguous (Layout::contiguous_sectors).
  Result<void> read(std::uint64_t block, MutableByteSpan tags);
  Result<void> write(std::uint64_t block, ByteSpan tags);

  /// When this returns, all that was written before is on the device, not flushed.
  Result<void> write_back();

 private:
  static constexpr std::size_t kPageSize = 4096;
  static constexpr std::size_t kWays = 4;
  static constexpr std::uint64_t kNone = ~std::uint64_t{0};

  struct Page {
    std::uint64_t number = kNone;  // of kPageSize bytes of the device
    std::uint64_t used = 0;        // when it was last used
    std::uint8_t dirty = 0;        // a bit for each of its sectors
    std::unique_ptr<std::array<std::byte, kPageSize>> bytes;
  };
  struct Set {
    std::mutex mutex;  // held during I/O as well, so that no thread sees half a page
    std::uint64_t clock = 0;
    std::array<Page, kWays> pages;
  };

  Set& set_of(std::uint64_t page) { return sets_[page % sets_.size()]; }
  static Page* find(Set& set, std::uint64_t page);
  Result<Page*> load(Set& set, std::uint64_t page);
  Result<void> clean(Page& page);
  std::uint8_t sectors(std::uint64_t within, std::size_t count) const;
  template <typename Use>
  Result<void> for_each_page(std::uint64_t block, std::size_t size, Use use);

  const Layout& layout_;
  MetaIo& meta_;
  const Writes writes_;
  std::uint64_t unit_;  // bytes of the smallest write
  std::vector<Set> sets_;
  std::mutex write_back_mutex_;  // held until all is written: a flush may rely on another's
  std::mutex waiting_mutex_;
  std::set<std::uint64_t> waiting_;  // pages that are dirty and that no write_back() has taken
};

}  // namespace intact::integrity
