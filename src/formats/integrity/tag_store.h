#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include <intact/base/bytes.h>
#include <intact/base/result.h>
#include <intact/integrity/layout.h>

#include "meta_io.h"

namespace intact::integrity {

/// The tags on their device, through a cache of fixed size. What is written goes to the device at
/// once (but is not flushed), the sectors that it touches only. Thread-safe.
class TagStore {
 public:
  /// `cache_size` in bytes; a few pages at least.
  TagStore(const Layout& layout, MetaIo& meta, std::size_t cache_size);

  /// The tags of blocks from `block` on, as many as fit into `tags`. They and their blocks must be
  /// contiguous (Layout::contiguous_sectors).
  Result<void> read(std::uint64_t block, MutableByteSpan tags);
  Result<void> write(std::uint64_t block, ByteSpan tags);

 private:
  static constexpr std::size_t kPageSize = 4096;
  static constexpr std::size_t kWays = 4;
  static constexpr std::uint64_t kNone = ~std::uint64_t{0};

  struct Page {
    std::uint64_t number = kNone;  // of kPageSize bytes of the device
    std::uint64_t used = 0;        // when it was last used
    std::unique_ptr<std::array<std::byte, kPageSize>> bytes;
  };
  struct Set {
    std::mutex mutex;  // held during I/O as well: nobody sees a page that is half there
    std::uint64_t clock = 0;
    std::array<Page, kWays> pages;
  };

  Set& set_of(std::uint64_t page) { return sets_[page % sets_.size()]; }
  Result<MutableByteSpan> load(Set& set, std::uint64_t page);
  template <typename Use>
  Result<void> for_each_page(std::uint64_t block, std::size_t size, Use use);

  const Layout& layout_;
  MetaIo& meta_;
  std::uint64_t unit_;  // bytes of the smallest write
  std::vector<Set> sets_;
};

}  // namespace intact::integrity
