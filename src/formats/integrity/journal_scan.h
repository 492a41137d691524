#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <intact/base/result.h>

#include "journal_store.h"

namespace intact::integrity {

/// What commit ids say about a journal: which sections are to be replayed, and where writing
/// continues.
struct JournalState {
  std::uint32_t first = 0;      ///< section with the oldest entries
  std::uint32_t count = 0;      ///< consistent sections from there on, round the ring
  bool has_entries = false;     ///< anywhere in the journal
  Sequence sequence = 0;        ///< of the sections after those
  Sequence erase_sequence = 0;  ///< to empty the journal with
};

/// Reads the whole journal. malformed for commit ids that no crash can leave; bad_secret if the
/// journal is encrypted and no sector has a commit id; limit for a journal of more than 16 GiB.
Result<JournalState> scan_journal(const JournalStore& journal);

/// Reads the sections that are to be replayed, oldest first. tampered, or bad_secret if all of them
/// do, when they fail their MACs.
Result<void> for_replayed_sections(
    const JournalStore& journal, const JournalState& state,
    const std::function<Result<void>(std::uint32_t section, SectionImage image)>& use);

}  // namespace intact::integrity
