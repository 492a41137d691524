#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <intact/base/result.h>
#include <intact/integrity/integrity_target.h>
#include <intact/integrity/params.h>

namespace intact::integrity {

/// Logical sectors that cannot be given out.
struct Damage {
  std::uint64_t sector;
  std::uint64_t sectors;
  std::string reason;

  bool operator==(const Damage&) const = default;
};

/// Logical sectors that were read and checked by nobody.
struct Unprotected {
  std::uint64_t sector;
  std::uint64_t sectors;

  bool operator==(const Unprotected&) const = default;
};

/// What a reading of a whole device has found. Ranges are in order and do not touch each other, but
/// for damage of different kinds.
struct ScanReport {
  enum class Why {
    nothing,        ///< no range is unprotected
    no_hash,        ///< whoever is above supplies the tags
    recovery,       ///< mode R
    recalculation,  ///< tags that were not computed yet
    dirty_bitmap,   ///< mode B and not closed: regions written to, or about to be
  };
  std::uint64_t sectors = 0;         ///< of the device
  std::uint64_t checked = 0;         ///< sectors, good or damaged
  std::uint64_t journal_blocks = 0;  ///< of these, blocks that were read from the journal
  std::vector<Damage> damaged = {};
  std::vector<Unprotected> unprotected = {};
  Why why_unprotected = Why::nothing;

  std::uint64_t damaged_sectors() const;
  /// Nothing that was checked is good: the hash or its key are most likely not the device's.
  bool all_damaged() const { return checked != 0 && damaged_sectors() == checked; }
};

/// Told now and then how many bytes have been read; by one thread at a time.
using ScanProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

/// Reads all of a device, without writing, and checks what can be checked. Errors as of
/// IntegrityTarget::open(), and metadata that cannot be read. `threads` 0: one for each processor.
Result<ScanReport> scan(const Params& params, const Devices& devices,
                        const ScanProgress& progress = {}, unsigned threads = 0);

}  // namespace intact::integrity
