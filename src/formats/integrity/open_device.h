#pragma once

#include <memory>
#include <optional>

#include "block_reader.h"
#include "journal_ring.h"
#include "journal_scan.h"
#include "recalculation.h"
#include "region_map.h"
#include "volume.h"
#include "write_mode.h"

namespace intact::integrity {

/// The state in which a device was left, as it was found when it was opened.
struct AsLeft {
  bool dirty = false;  ///< in bitmap mode, not closed
  JournalState journal = {};
  std::optional<RegionMap> bitmap = {};
};

/// The parts of an open device. `waker` must outlive it.
struct OpenDevice {
  std::unique_ptr<Volume> volume;
  std::unique_ptr<JournalRing> ring;             ///< null in recovery
  std::unique_ptr<Recalculation> recalculation;  ///< null if tags are never checked
  std::unique_ptr<WriteMode> mode;               ///< null if read-only
  std::unique_ptr<BlockReader> reader;
  AsLeft as_left = {};
  std::uint64_t replayed_sections = 0;
  std::uint64_t replayed_blocks = 0;
  std::uint64_t marked_regions = 0;    ///< in the bitmap that a crash left
  std::uint64_t retagged_sectors = 0;  ///< given new tags for unverified data, with a key
};

/// Checks the superblock against the params and sets up what is below the modes. Nothing is written
/// (except the superblock with format_zeroed) or replayed.
Result<std::unique_ptr<Volume>> open_volume(const Params& params, const Devices& devices,
                                            const IntegrityTarget::Options& options);

/// Whether a device that was opened for reading can be written as well, but for what is below it;
/// errors of the open of devices for writing. Returns the superblock that writing begins with.
Result<Superblock> check_superblock_for_writing(const Volume& volume);
/// The same with what is below, and sets that superblock.
Result<void> prepare_writing(const Volume& volume);

/// Opens everything, as IntegrityTarget::open() does.
Result<OpenDevice> open_device(const Params& params, const Devices& devices,
                               const IntegrityTarget::Options& options, const Waker& waker);

/// Whether begin_writing() would be refused for what is on the device. Writes nothing.
Result<void> check_begin_writing(const OpenDevice& device);

/// Brings a device that was opened read-only to the state of one that was opened for writing,
/// without reading its journal or bitmap again.
Result<void> begin_writing(OpenDevice& device, const IntegrityTarget::Options& options,
                           const Waker& waker);

}  // namespace intact::integrity
