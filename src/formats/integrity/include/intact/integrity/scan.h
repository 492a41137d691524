#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <intact/base/result.h>
#include <intact/integrity/integrity_target.h>
#include <intact/integrity/params.h>

namespace intact::integrity {

/// Logical sectors that cannot be read.
struct Damage {
  std::uint64_t sector;
  std::uint64_t sectors;
  std::string reason;

  bool operator==(const Damage&) const = default;
};

/// Logical sectors that nothing has checked.
struct Unprotected {
  std::uint64_t sector;
  std::uint64_t sectors;
  bool is_discarded = false;  ///< their tags say that they were discarded, which anyone can write

  bool operator==(const Unprotected&) const = default;
};

/// The result of reading a whole device. Ranges are in order and do not touch each other, except
/// for damage of different kinds.
struct ScanReport {
  enum class Why {
    nothing,        ///< no range is unprotected
    no_hash,        ///< the layer above supplies the tags
    recovery,       ///< mode R
    recalculation,  ///< the tags have not been calculated yet
    dirty_bitmap,   ///< mode B and not closed: regions being written to
    discarded,      ///< with allow_discards
  };
  std::uint64_t sectors = 0;         ///< of the device
  std::uint64_t checked = 0;         ///< sectors, good or damaged
  std::uint64_t journal_blocks = 0;  ///< of these, blocks that were read from the journal
  std::uint64_t marked_regions = 0;  ///< in the bitmap, if the device was not closed in mode B
  std::vector<Damage> damaged = {};
  std::vector<Unprotected> unprotected = {};
  Why why_unprotected = Why::nothing;  ///< those that are not discarded, or all if all are

  Why why(const Unprotected& range) const {
    return range.is_discarded ? Why::discarded : why_unprotected;
  }

  std::uint64_t damaged_sectors() const;
  /// Everything that was checked is bad: most likely the hash or its key is wrong.
  bool all_damaged() const { return checked != 0 && damaged_sectors() == checked; }
};

/// Called now and then with the number of bytes read, by one thread at a time.
using ScanProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

/// Reads a whole device without writing and checks what can be checked. Errors of
/// IntegrityTarget::open(), and unreadable metadata. `threads` 0: one for each processor.
Result<ScanReport> scan(const Params& params, const Devices& devices,
                        const ScanProgress& progress = {}, unsigned threads = 0);

}  // namespace intact::integrity
