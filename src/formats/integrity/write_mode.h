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
  /// Writes whole blocks with their tags; empty tags mean zeros or, in mode D, the present ones.
  virtual Result<void> write(std::uint64_t block, ByteSpan blocks, ByteSpan tags) = 0;
  /// The same for zeros; `tags` must not be empty.
  virtual Result<void> write_zeros(std::uint64_t block, ByteSpan zeros, ByteSpan tags) = 0;
  virtual Result<void> flush() = 0;
  /// Marks blocks as discarded, durably, before they are discarded.
  virtual Result<void> mark_discarded(std::uint64_t block, std::uint64_t blocks) = 0;
  /// Puts everything in place and marks the device clean.
  virtual Result<void> close() = 0;

  /// When timed work is due, perhaps in the past; nothing if there is none.
  virtual std::optional<Time> due() const = 0;
  /// Does the work that is due.
  virtual Result<void> work() = 0;
};

/// Called when work may be due. Empty: the mode does timed work within requests.
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
