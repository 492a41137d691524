#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "journal_ring.h"
#include "recalculation.h"
#include "volume.h"

namespace intact::integrity {

/// How a device is written: one for each of the modes J, D and B. Thread-safe.
class WriteMode {
 public:
  using Time = std::chrono::steady_clock::time_point;

  virtual ~WriteMode() = default;
  /// Whole blocks with their tags; no tags: zeros, or those that are there (mode D).
  virtual Result<void> write(std::uint64_t block, ByteSpan blocks, ByteSpan tags) = 0;
  /// The same for zeros with their tags, which are not empty.
  virtual Result<void> write_zeros(std::uint64_t block, ByteSpan zeros, ByteSpan tags) = 0;
  virtual Result<void> flush() = 0;
  /// Marks blocks as discarded, durably, before they are.
  virtual Result<void> mark_discarded(std::uint64_t block, std::uint64_t blocks) = 0;
  /// Everything in place and marked clean.
  virtual Result<void> close() = 0;

  /// When something has to be done that nobody asks for; none: nothing. The past: now.
  virtual std::optional<Time> due() const = 0;
  /// Does what is due.
  virtual Result<void> work() = 0;
};

/// Told that something may be due. Empty: a mode has to work by itself.
using Waker = std::function<void()>;

std::unique_ptr<WriteMode> make_journal_mode(Volume& volume, JournalRing& ring, Waker waker);
std::unique_ptr<WriteMode> make_direct_mode(Volume& volume);
/// `dirty`: the bitmap as it is on disk.
std::unique_ptr<WriteMode> make_bitmap_mode(Volume& volume, JournalStore& journal,
                                            const Recalculation& recalculation, RegionMap dirty,
                                            Waker waker);

/// Regions that are set in the bitmap of a mode that make_bitmap_mode made.
std::uint64_t dirty_regions(const WriteMode& mode);

}  // namespace intact::integrity
