#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <intact/base/damage.h>
#include <intact/base/result.h>
#include <intact/integrity/integrity_target.h>
#include <intact/integrity/layout.h>
#include <intact/integrity/params.h>

// What can be learned from a device without writing to it.
namespace intact::integrity {

/// The superblock `start` sectors into `device`, which may be in use. Needs no key and does not ask
/// where the data are. Errors of parse_superblock(); malformed if the device ends before it.
Result<Superblock> superblock_at(const ByteSource& device, std::uint64_t start);

/// The names of the flags, in integritysetup's order; "unknown_0x40" for those without a name.
std::vector<std::string> flag_names(const Superblock& superblock);

/// Where everything is, a line of text for each part, as debugging output shows it.
std::vector<std::string> describe_layout(const Superblock& superblock, const Params& params,
                                         DeviceSizes sizes);

/// Bytes of the journal. Error malformed for a superblock that no journal fits.
Result<std::uint64_t> journal_size(const Superblock& superblock);

/// The status line of the kernel's target.
struct StatusLine {
  std::uint64_t mismatches = 0;  ///< reads that met blocks which fail their tags
  std::uint64_t provided_data_sectors = 0;
  std::optional<std::uint64_t> recalc_sector = {};  ///< none: nothing was ever recalculated

  bool operator==(const StatusLine&) const = default;
};
/// Error malformed for other text.
Result<StatusLine> parse_status(std::string_view line);

/// Logical sectors that cannot be read: the range counts sectors, the bytes are of the data.
Damage damaged_sectors(std::uint64_t first, std::uint64_t sectors, std::string reason);

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
  std::vector<Damage> damaged = {};  ///< as damaged_sectors() makes them
  std::vector<Unprotected> unprotected = {};
  Why why_unprotected = Why::nothing;  ///< those that are not discarded, or all if all are

  Why why(const Unprotected& range) const {
    return range.is_discarded ? Why::discarded : why_unprotected;
  }

  std::uint64_t damaged_sectors() const;
  /// Nothing was found damaged, and something was checked.
  bool ok() const { return damaged.empty() && checked != 0; }
  /// Everything that was checked is bad: most likely the hash or its key is wrong.
  bool all_damaged() const { return checked != 0 && damaged_sectors() == checked; }
};

/// For programs: "no-hash", "dirty-bitmap", and so on; empty for `nothing`.
std::string_view name_of(ScanReport::Why why);
/// For people: a clause that explains why sectors were not checked.
std::string_view explanation_of(ScanReport::Why why);

/// Reads a whole device without writing and checks what can be checked. Errors of
/// IntegrityTarget::open(), and unreadable metadata. `threads` 0: one for each processor.
Result<ScanReport> scan(const Params& params, const Devices& devices, const Progress& progress = {},
                        unsigned threads = 0);

/// What a journal contains, and what opening the device for writing would do with it.
struct JournalReport {
  struct Entry {
    std::uint32_t section;
    std::uint32_t index;   ///< within the section
    std::uint64_t sector;  ///< logical, of the block's first sector
    enum class State { replayed, superseded, beyond_end, bad_tag } state;
  };
  std::uint32_t sections = 0;        ///< of the journal
  std::uint32_t first_section = 0;   ///< the oldest valid one
  std::uint32_t valid_sections = 0;  ///< from there on, around the ring
  std::uint64_t used_entries = 0;    ///< in valid sections
  std::vector<Entry> entries = {};   ///< the used entries of valid sections, oldest first
  bool holds_bitmap = false;         ///< mode B and not closed: no journal exists
  std::uint64_t dirty_regions = 0;   ///< bits set in that bitmap
  std::uint64_t sectors_per_region = 0;
  /// Why a replay would be refused (a MAC, commit ids), or none.
  std::string refused = {};

  std::uint64_t count(Entry::State state) const;  ///< entries in this state
};

/// For programs: "replayed", "superseded", "beyond-end", "bad-tag".
std::string_view name_of(JournalReport::Entry::State state);

/// Reads the journal and changes nothing. Errors of IntegrityTarget::open(), except those that
/// `refused` reports.
Result<JournalReport> report_journal(const Params& params, const Devices& devices);

}  // namespace intact::integrity
