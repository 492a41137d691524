#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <intact/base/result.h>
#include <intact/integrity/integrity_target.h>
#include <intact/integrity/params.h>

namespace intact::integrity {

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
};

/// Reads the journal and changes nothing. Errors of IntegrityTarget::open(), except those that
/// `refused` reports.
Result<JournalReport> report_journal(const Params& params, const Devices& devices);

}  // namespace intact::integrity
