#pragma once

#include <memory>

#include "block_reader.h"
#include "journal_ring.h"
#include "recalculation.h"
#include "volume.h"
#include "write_mode.h"

namespace intact::integrity {

/// The parts of an open device. `waker` must outlive it.
struct OpenDevice {
  std::unique_ptr<Volume> volume;
  std::unique_ptr<JournalRing> ring;             ///< null in recovery
  std::unique_ptr<Recalculation> recalculation;  ///< null if tags are never checked
  std::unique_ptr<WriteMode> mode;               ///< null if read-only
  std::unique_ptr<BlockReader> reader;
  std::uint64_t replayed_sections = 0;
  std::uint64_t replayed_blocks = 0;
  std::uint64_t marked_regions = 0;    ///< in the bitmap that a crash left
  std::uint64_t retagged_sectors = 0;  ///< given new tags for unverified data, with a key
};

/// Checks the superblock against the params and sets up what is below the modes. Nothing is written
/// (except the superblock with format_zeroed) or replayed.
Result<std::unique_ptr<Volume>> open_volume(const Params& params, const Devices& devices,
                                            const IntegrityTarget::Options& options);

/// Opens everything, as IntegrityTarget::open() does.
Result<OpenDevice> open_device(const Params& params, const Devices& devices,
                               const IntegrityTarget::Options& options, const Waker& waker);

}  // namespace intact::integrity
