#include <algorithm>
#include <map>

#include <intact/integrity/inspect.h>

#include "journal_scan.h"
#include "open_device.h"
#include "tag_compare.h"

namespace intact::integrity {
namespace {

using Entry = JournalReport::Entry;

class Reporter {
 public:
  Reporter(Volume& volume, JournalReport& report) : volume_(volume), report_(report) {}

  Result<void> add(std::uint32_t section, const SectionImage& image) {
    for (std::uint32_t n = 0; n < volume_.layout.section().entries; ++n) {
      if (!image.used(n)) continue;
      ++report_.used_entries;
      add({.section = section, .index = n, .sector = image.sector(n), .state = state(image, n)});
    }
    return {};
  }

 private:
  Entry::State state(const SectionImage& image, std::uint32_t n) const {
    const std::uint64_t sector = image.sector(n);
    if (sector >= volume_.layout.provided_data_sectors()) return Entry::State::beyond_end;
    if (sector % volume_.sector_of(1) != 0) return Entry::State::bad_tag;
    if (!volume_.hash) return Entry::State::replayed;
    Bytes block(volume_.layout.block_size()), tag(volume_.layout.tag_size());
    image.copy_block(n, block);
    volume_.hash->compute(volume_.block_of(sector), block, tag);
    return equal_tags(tag, image.tag(n)) ? Entry::State::replayed : Entry::State::bad_tag;
  }

  void add(const Entry& entry) {
    if (entry.state == Entry::State::bad_tag && report_.refused.empty())
      report_.refused =
          "an entry fails its tag: wrong internal hash or key, or the journal was changed";
    if (entry.state == Entry::State::replayed) {
      const auto [newest, is_new] = newest_.try_emplace(entry.sector, report_.entries.size());
      if (!is_new) {
        report_.entries[newest->second].state = Entry::State::superseded;
        newest->second = report_.entries.size();
      }
    }
    report_.entries.push_back(entry);
  }

  Volume& volume_;
  JournalReport& report_;
  std::map<std::uint64_t, std::size_t> newest_;  // by sector: the newest entry so far
};

Result<void> report_bitmap(const Volume& volume, const Superblock& superblock,
                           JournalReport& report) {
  report.holds_bitmap = true;
  const unsigned log2 =
      superblock.log2_blocks_per_bitmap_bit + volume.layout.log2_sectors_per_block();
  if (log2 >= 64 || volume.layout.log2_sectors_per_bit(log2) != log2) {
    report.refused =
        "the superblock describes an impossible bitmap: everything would be recalculated";
    return {};
  }
  TRY(RegionMap::check_size(volume.layout, log2));
  RegionMap map(volume.layout, log2);
  TRY(map.read(volume.layout, volume.meta));
  report.dirty_regions = map.count();
  report.sectors_per_region = std::uint64_t{1} << log2;
  return {};
}

bool is_about_content(ErrorKind kind) {
  return kind == ErrorKind::tampered || kind == ErrorKind::malformed ||
         kind == ErrorKind::bad_secret;
}

}  // namespace

std::uint64_t JournalReport::count(Entry::State state) const {
  return static_cast<std::uint64_t>(std::ranges::count(entries, state, &Entry::state));
}

std::string_view name_of(JournalReport::Entry::State state) {
  switch (state) {
    case Entry::State::replayed:
      return "replayed";
    case Entry::State::superseded:
      return "superseded";
    case Entry::State::beyond_end:
      return "beyond-end";
    case Entry::State::bad_tag:
      return "bad-tag";
  }
  return "";
}

Result<JournalReport> report_journal(const Params& params, const Devices& devices) {
  const auto volume = TRY(open_volume(params, devices, {.read_only = true}));
  const Superblock superblock = volume->superblock->get();
  JournalReport report{.sections = volume->layout.journal_sections()};
  if (superblock.has(Superblock::dirty_bitmap)) {
    TRY(report_bitmap(*volume, superblock, report));
    return report;
  }
  const auto journal =
      TRY(JournalStore::create(volume->params, superblock, volume->layout, volume->meta));
  TRY(journal->find_page_size());
  const auto refuse = [&](const Error& error) -> Result<JournalReport> {
    if (!is_about_content(error.kind())) return Error(error);
    report.refused = error.message();
    return report;
  };
  const auto state = scan_journal(*journal);
  if (!state) return refuse(state.error());
  report.first_section = state->first;
  report.valid_sections = state->count;
  Reporter reporter(*volume, report);
  const auto read = for_replayed_sections(
      *journal, *state, [&](std::uint32_t section, const SectionImage& image) {
        return state->has_entries ? reporter.add(section, image) : Result<void>();
      });
  if (!read) return refuse(read.error());
  return report;
}

}  // namespace intact::integrity
