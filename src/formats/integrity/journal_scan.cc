#include "journal_scan.h"

#include <array>

#include <fmt/format.h>

namespace intact::integrity {
namespace {

constexpr std::uint64_t kMaxJournalBytes = std::uint64_t{16} << 30;
constexpr std::uint8_t kMixed = 0xff;  // sectors of a section that are not all of one sequence

/// The commit ids of all sectors together.
struct Census {
  std::array<bool, kSequences> used{};
  std::array<std::uint32_t, kSequences> last_section{};  // in which the sequence is used
  std::vector<std::uint8_t> sections;                    // the sequence of each, or kMixed
  bool has_entries = false;
};

Error unknown_commit_id(const JournalStore& journal, std::uint32_t section, std::uint32_t sector) {
  if (journal.is_encrypted() && section == 0 && sector == 0)
    return Error(ErrorKind::bad_secret,
                 "journal commit id: wrong journal cipher or key, or the journal was changed");
  return Error(ErrorKind::malformed,
               fmt::format("journal commit id: section {}, sector {} of the journal has no "
                           "valid one",
                           section, sector));
}

Result<void> count_section(const JournalStore& journal, std::uint32_t section,
                           const SectionImage& image, Census& census) {
  const SectionGeometry& geometry = journal.layout().section();
  for (std::uint32_t j = 0; j < geometry.sectors; ++j) {
    const auto sequence = journal.sequence_of(image, section, j);
    if (!sequence) return unknown_commit_id(journal, section, j);
    census.used[*sequence] = true;
    census.last_section[*sequence] = section;
    std::uint8_t& whole = census.sections[section];
    whole = j == 0 || whole == *sequence ? static_cast<std::uint8_t>(*sequence) : kMixed;
  }
  for (std::uint32_t n = 0; n < geometry.entries && !census.has_entries; ++n)
    census.has_entries = image.used(n);
  return {};
}

/// The first sequence after those in use, which follow each other in the cycle of four.
std::optional<Sequence> first_unused(const std::array<bool, kSequences>& used) {
  if (!used[kSequences - 1]) {
    Sequence unused = kSequences - 1;
    while (unused > 0 && !used[unused - 1]) --unused;
    return unused;
  }
  for (Sequence q = 0; q < kSequences; ++q)
    if (!used[q]) return q;
  return std::nullopt;
}

}  // namespace

Result<JournalState> scan_journal(const JournalStore& journal) {
  const std::uint32_t sections = journal.sections();
  if (std::uint64_t{sections} * journal.layout().section().sectors * kSectorSize > kMaxJournalBytes)
    return Error(ErrorKind::limit, "a journal of more than 16 GiB");
  Census census{.sections = std::vector<std::uint8_t>(sections, 0)};
  SectionImage image(journal.layout());
  for (std::uint32_t i = 0; i < sections; ++i) {
    TRY(journal.read(i, image));
    TRY(count_section(journal, i, image, census));
  }
  const auto unused = first_unused(census.used);
  if (!unused)
    return Error(ErrorKind::malformed, "journal commit ids: all four sequences are in use");

  const Sequence last = previous(*unused);
  JournalState state{.has_entries = census.has_entries,
                     .sequence = previous(last),
                     .erase_sequence = previous(previous(last))};
  if (!census.used[state.sequence] && census.used[previous(state.sequence)])
    state.has_entries = false;  // a crash while the journal was being emptied
  const auto advance = [&](std::uint32_t section) {
    if (section + 1 < sections) return section + 1;
    state.sequence = next(state.sequence);
    return std::uint32_t{0};
  };
  state.first = advance(census.last_section[last]);
  for (std::uint32_t i = state.first;
       state.count < sections && census.sections[i] == state.sequence; i = advance(i))
    ++state.count;
  return state;
}

Result<void> for_replayed_sections(
    const JournalStore& journal, const JournalState& state,
    const std::function<Result<void>(std::uint32_t, SectionImage)>& use) {
  for (std::uint32_t n = 0; n < state.count; ++n) {
    const std::uint32_t section =
        static_cast<std::uint32_t>((std::uint64_t{state.first} + n) % journal.sections());
    SectionImage image(journal.layout());
    TRY(journal.read(section, image));
    if (!journal.mac_fits(section, image)) {
      // If it is the first section, the key may be wrong. After a good section it is not.
      return n == 0 && !journal.mac_key_is_proven()
                 ? Error(ErrorKind::bad_secret,
                         "journal mac: wrong key, or the journal was changed")
                 : Error(ErrorKind::tampered,
                         fmt::format("journal mac: section {} of the journal fails its MAC",
                                     section));
    }
    TRY(use(section, std::move(image)));
  }
  return {};
}

}  // namespace intact::integrity
